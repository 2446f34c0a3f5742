"""A recipe decides where its binaries are kept; an interrupted or failed build leaves nothing that looks finished."""

from __future__ import annotations

import dataclasses
import fcntl
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tools.stack import build as building
from tools.stack import golang, versions
from tools.stack.cache import build_lock, cache_folder
from tools.stack.errors import BuildError, ToolMissingError
from tools.stack.golang import Go
from tools.stack.own_module import derive_go_mod
from tools.stack.polling import eventually
from tools.stack.recipes import MANIFEST, NEWEST_MANIFEST, Method, Recipe, recipes

ROOT = Path(__file__).parents[2]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return cache_folder()


@pytest.fixture
def fake_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Go on PATH that says it is new enough, "compiles" a file, and notes each call beside itself."""
    folder = tmp_path / "go"
    folder.mkdir()
    go = folder / "go"
    go.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = version ]; then echo go version go1.99.1 linux/amd64; exit; fi\n'
        f'echo "$@" >> {folder}/calls\n'
        f"if [ -e {folder}/fail ]; then echo cannot find module; exit 7; fi\n"
        'echo binary > "$GOBIN/prometheus"; echo binary > "$GOBIN/promtool"; mkdir -p "$GOMODCACHE"\n',
        encoding="utf-8",
    )
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def test_there_is_a_recipe_for_each_part() -> None:
    assert list(recipes()) == ["collector", "collector-newest", "jaeger", "prometheus", "victorialogs", "kafka"]


def test_the_key_names_part_and_version_and_changes_with_whatever_shapes_the_binary() -> None:
    recipe = recipes()["victorialogs"]
    assert re.fullmatch(r"victorialogs-1\.52\.1-[0-9a-f]{12}", recipe.key)
    for change in (
        {"version": "1.52.2"},
        {"tags": ("x",)},
        {"inputs": "x"},
        {"method": Method.BUILDER},
        {"stamp": None},
    ):
        assert dataclasses.replace(recipe, **change).key != recipe.key
    assert dataclasses.replace(recipe, minutes=9).key == recipe.key


MANIFESTS = {"collector": MANIFEST, "collector-newest": NEWEST_MANIFEST}
each_collector = pytest.mark.parametrize("part", list(MANIFESTS))


@each_collector
def test_the_manifest_is_part_of_the_collectors_recipe(part: str) -> None:
    assert recipes()[part].inputs == MANIFESTS[part].read_text(encoding="utf-8")


def components(part: str) -> dict[str, dict[str, str]]:
    """Return what a manifest puts into the binary: by section, each module with its version."""
    manifest = yaml.safe_load(MANIFESTS[part].read_text(encoding="utf-8"))
    del manifest["dist"]
    return {section: dict(entry["gomod"].split() for entry in entries) for section, entries in manifest.items()}


@each_collector
def test_the_manifest_has_the_versions_of_the_stack(part: str) -> None:
    version, stable = {
        "collector": (versions.COLLECTOR, versions.COLLECTOR_STABLE),
        "collector-newest": (versions.COLLECTOR_NEWEST, versions.COLLECTOR_NEWEST_STABLE),
    }[part]
    assert yaml.safe_load(MANIFESTS[part].read_text(encoding="utf-8"))["dist"]["version"] == version
    for section, modules in components(part).items():
        wanted = stable if section == "providers" else version
        assert set(modules.values()) == {f"v{wanted}"}, section


def test_the_newest_collector_holds_less_than_the_other() -> None:
    """What it needs is tested by running the files with it."""
    newest, other = components("collector-newest"), components("collector")
    for section in other:
        assert newest[section].keys() <= other[section].keys(), section


def test_own_module_repeats_the_servers_requirements() -> None:
    server = """\
module example.com/server/v3

go 1.26.5

toolchain go1.26.7

ignore ./tools/dev

require (
	example.com/a v1.0.0
	example.com/push v0.1.0
)

replace example.com/a => example.com/fork v1.2.0

replace example.com/push => ./pkg/push

replace (
	example.com/b => ../b
	example.com/c => example.com/c v1.1.0
)

exclude example.com/d v8.0.0+incompatible
"""
    recipe = Recipe("server", "3.0.0", Method.OWN_MODULE, "example.com/server/v3", "v3.0.0", ("cmd",), ("server",))
    ours = derive_go_mod(server, recipe)
    assert [line for line in ours.splitlines() if line.strip()] == [
        "module synapse-otel/stack/server",
        "require example.com/server/v3 v3.0.0",
        "go 1.26.5",
        "require (",
        "	example.com/a v1.0.0",
        "	example.com/push v0.1.0",
        ")",
        "replace example.com/a => example.com/fork v1.2.0",
        "replace (",
        "	example.com/c => example.com/c v1.1.0",
        ")",
        "exclude example.com/d v8.0.0+incompatible",
    ]


def test_what_is_absent_is_built_once(cache: Path, fake_go: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = building.build(["prometheus"])
    second = building.build(["prometheus"])

    assert first == second == {"prometheus": cache / recipes()["prometheus"].key / "bin"}
    assert sorted(path.name for path in first["prometheus"].iterdir()) == ["prometheus", "promtool"]
    assert len((fake_go / "calls").read_text(encoding="utf-8").splitlines()) == 1
    assert "prometheus 3.16.0: built in 0 min 0" in capsys.readouterr().out


def test_nothing_but_binaries_and_logs_is_left(cache: Path, fake_go: Path) -> None:
    (cache / "building-interrupted").mkdir()
    building.build(["prometheus"])
    assert {path.name for path in cache.iterdir()} == {recipes()["prometheus"].key, "build.lock", "logs"}


def test_a_failed_build_names_its_log_and_leaves_no_result(cache: Path, fake_go: Path) -> None:
    (fake_go / "fail").touch()
    log = cache / "logs" / f"{recipes()['prometheus'].key}.log"

    with pytest.raises(BuildError, match=re.escape(f"prometheus: go install failed (exit 7); the full log: {log}")):
        building.build(["prometheus"])

    assert "cannot find module" in log.read_text(encoding="utf-8")
    assert not (cache / recipes()["prometheus"].key).exists()
    (fake_go / "fail").unlink()
    assert (building.build(["prometheus"])["prometheus"] / "promtool").exists()


def test_a_second_builder_waits_and_then_finds_the_result(cache: Path, fake_go: Path, tmp_path: Path) -> None:
    said = tmp_path / "said"
    finished = cache / recipes()["prometheus"].key / "bin"
    with said.open("wb") as output, build_lock(cache):
        command = [sys.executable, "-m", "tools.stack", "build", "prometheus"]
        builder = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        eventually(lambda: "another build is running: waiting for it" in said.read_text(encoding="utf-8"))
        finished.mkdir(parents=True)

    assert builder.wait(timeout=20) == 0
    assert said.read_text(encoding="utf-8").endswith(f"{finished}\n")
    assert not (fake_go / "calls").exists()


def test_the_lock_is_one_of_the_kernel(cache: Path) -> None:
    with build_lock(cache), (cache / "build.lock").open("w") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_an_older_go_is_passed_over(cache: Path, fake_go: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = fake_go / "go"
    go.write_text("#!/bin/sh\necho go version go1.26.6 linux/amd64\n", encoding="utf-8")
    package = Go(Path("from-package"), (1, 27, 3))
    monkeypatch.setattr(golang, "_go_from_package", lambda _cache: package)
    assert golang.find_go(cache) == package


def test_where_no_go_can_be_had_one_line_says_what_to_do(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(cache))
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(ToolMissingError, match=r"Go 1\.26\.7 or newer is needed, and .* failed.*install Go"):
        golang.find_go(cache)


def test_go_runs_apart_from_the_users_own_caches(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOWORK", "elsewhere")
    monkeypatch.setenv("GOPROXY", "https://mirror.invalid")
    environment = golang.go_environment(Go(Path("/opt/go/bin/go"), (1, 27, 3)), cache)
    assert environment["PATH"].startswith("/opt/go/bin:")
    assert all(environment[name].startswith(str(cache)) for name in ("GOCACHE", "GOMODCACHE", "GOPATH"))
    assert "-mod=mod" in environment["GOFLAGS"]
    assert environment["GOTOOLCHAIN"] == "local"
    assert environment["GOPROXY"] == "https://mirror.invalid"
    assert "GOWORK" not in environment
