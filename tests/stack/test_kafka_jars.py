"""Kafka comes as exactly the jars that are listed, or not at all; without Java or Maven a line says what to install."""

from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path

import pytest

from tools.stack import __main__ as command
from tools.stack import build as building
from tools.stack import versions
from tools.stack.cache import cache_folder
from tools.stack.errors import BuildError, ToolMissingError
from tools.stack.kafka import jars
from tools.stack.recipes import recipes

LISTED = (Path(jars.__file__).parent / "jars.sha256").read_text(encoding="utf-8")


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Java and a Maven on PATH, of which the second "fetches" one jar; what is built goes to a cache of the test."""
    folder = tmp_path / "tools"
    folder.mkdir()
    write(folder / "java", "echo 'openjdk version \"17.0.15\" 2025-04-15' >&2")
    write(
        folder / "mvn",
        f'echo "$@" >> {folder}/calls',
        "for word; do case $word in -DoutputDirectory=*) libs=${word#*=} ;; esac; done",
        'mkdir -p "$libs"; echo a > "$libs/a.jar"',
    )
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def write(path: Path, *lines: str) -> None:
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]), encoding="utf-8")
    path.chmod(0o755)


def test_the_list_is_of_the_version_of_the_stack() -> None:
    found = re.findall(r"^[0-9a-f]{64}  kafka_2\.13-(.*)\.jar$", LISTED, re.MULTILINE)
    assert found == [versions.KAFKA]
    assert all(re.fullmatch(r"[0-9a-f]{64}  [\w.-]+\.jar", line) for line in LISTED.splitlines())


def test_jars_are_fetched_once_and_the_commands_stand_beside_them(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only = tools / "jars.sha256"
    only.write_text(f"{hashlib.sha256(b'a' + bytes([10])).hexdigest()}  a.jar\n", encoding="utf-8")
    monkeypatch.setattr(jars, "_CHECKSUMS", only)

    first = building.build(["kafka"])
    assert first == building.build(["kafka"]) == {"kafka": cache_folder() / recipes()["kafka"].key / "bin"}
    assert len((tools / "calls").read_text(encoding="utf-8").splitlines()) == 1
    assert f"-Dkafka.version={versions.KAFKA}" in (tools / "calls").read_text(encoding="utf-8")
    assert {path.name for path in first["kafka"].iterdir()} == set(jars.COMMANDS)

    write(tools / "java", 'echo "$@"')
    said = subprocess.run([first["kafka"] / "kafka-topics.sh", "--list"], capture_output=True, text=True, check=True)
    assert said.stdout.split()[-4:] == [
        "-cp",
        f"{first['kafka'].parent}/libs/*",
        "org.apache.kafka.tools.TopicCommand",
        "--list",
    ]


def test_a_jar_that_is_not_the_listed_one_is_refused(tools: Path) -> None:
    with pytest.raises(BuildError, match=r"not the jars that jars\.sha256 lists: .*a\.jar"):
        building.build(["kafka"])
    assert not (cache_folder() / recipes()["kafka"].key).exists()


@pytest.mark.parametrize(
    ("present", "listed", "wrong"),
    [
        ({"a.jar": b"a"}, "", "a.jar"),
        ({}, "00  a.jar", "a.jar"),
        ({"a.jar": b"a", "b.jar": b"b"}, "00  a.jar", "a.jar, b.jar"),
    ],
    ids=["one too many", "one missing", "one other, one too many"],
)
def test_every_difference_is_named(tmp_path: Path, present: dict[str, bytes], listed: str, wrong: str) -> None:
    for name, content in present.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BuildError, match=f"lists: {re.escape(wrong)}$"):
        jars.check_jars(tmp_path, listed)


@pytest.mark.parametrize("missing", ["java", "mvn", "a new Java"])
def test_what_is_missing_is_one_line_that_says_what_to_install(
    missing: str, tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tools))
    if missing == "a new Java":
        write(tools / "java", "echo 'openjdk version \"11.0.2\" 2019-01-15' >&2")
    else:
        (tools / missing).unlink()
    with pytest.raises(ToolMissingError, match=r"Kafka needs Java 17 or newer and Maven .*default-jre-headless, maven"):
        jars.find_maven()


def test_without_java_all_but_kafka_is_built_and_ci_stops(
    tools: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    built: list[str] = []
    monkeypatch.setattr(command, "build", lambda programs: built.extend(programs) or {})
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("CI", "true")
    assert command.main(["build"]) == command.CANNOT_START
    assert built == []
    monkeypatch.delenv("CI")
    assert command.main(["build"]) == 0
    assert built == ["collector", "collector-newest", "jaeger", "prometheus", "victorialogs"]
    assert capsys.readouterr().err.count("Kafka needs Java 17") == 2
