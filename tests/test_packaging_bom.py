"""The bill of materials: whole, valid, and the same each time."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.wheels import TREE, run
from tools.release.bill import bill, license_of
from tools.release.pins import Pin, needed_by, read_pins, requirements

pytestmark = pytest.mark.once

Component = dict[str, Any]


@pytest.fixture(scope="module")
def text() -> str:
    return bill()


@pytest.fixture(scope="module")
def components(text: str) -> dict[str, Component]:
    """By package URL."""
    return {found["purl"]: found for found in json.loads(text)["components"]}


def sums(component: Component) -> set[str]:
    return {found["content"] for found in component["hashes"]}


def test_it_is_valid_by_the_schema(text: str) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_it_is_the_same_each_time_and_has_the_time_that_it_is_given(text: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tools.release", "bom"]
    written = Path(run(*command, tmp_path).strip())
    assert written.parent == tmp_path
    assert written.read_text() == text
    assert "timestamp" not in json.loads(text)["metadata"]
    ended = subprocess.run([*command, tmp_path], cwd=TREE, env={"SOURCE_DATE_EPOCH": "1580601600"}, check=True)
    assert ended.returncode == 0
    assert json.loads(written.read_text())["metadata"]["timestamp"] == "2020-02-02T00:00:00+00:00"


def test_every_pin_of_the_runtime_is_in_it_with_its_licence_and_the_sums_of_its_files(
    components: dict[str, Component],
) -> None:
    pins = {f"pkg:pypi/{pin.name}@{pin.version}": pin for pin in read_pins()}
    assert len(pins) > 30
    assert {url for url in components if url.startswith("pkg:pypi/")} == set(pins)
    required = {pin.name for pin in needed_by(requirements())}
    for url, pin in pins.items():
        [files] = components[url]["externalReferences"]
        assert sums(files) == set(pin.hashes) != set()
        assert components[url]["licenses"]
        assert components[url]["scope"] == ("required" if pin.name in required else "optional")


def test_every_npm_package_of_the_page_is_in_it(components: dict[str, Component]) -> None:
    sources = [file.read_text() for file in (TREE / "web" / "src").rglob("*.ts*")]
    imported = {name for text in sources for name in re.findall(r"from \"([a-z][^/\"]*)", text)}
    wanted = set(json.loads((TREE / "web" / "package.json").read_text())["dependencies"])
    found = {component["name"]: component for url, component in components.items() if url.startswith("pkg:npm/")}
    assert imported
    assert {name for name, component in found.items() if component["scope"] == "required"} == imported
    assert set(found) == wanted, "what bundles the page is in it too, and called excluded"
    assert all(sums(component) for component in found.values())


def test_the_sources_of_others_that_are_compiled_are_in_it(components: dict[str, Component]) -> None:
    files = sorted((TREE / "native").glob("xxhash*"))
    assert len(files) == 2
    [found] = [component for component in components.values() if component["name"] == "xxHash"]
    assert found["version"].startswith("0.8.")
    wanted = {f"native/{file.name}": {sha256(file.read_bytes()).hexdigest()} for file in files}
    assert {part["name"]: sums(part) for part in found["components"]} == wanted


def test_each_package_says_what_it_needs(text: str) -> None:
    needs = {found["ref"]: found.get("dependsOn", []) for found in json.loads(text)["dependencies"]}
    names = {ref: ref.partition("/")[2].partition("@")[0] for ref in needs}
    of = {names[ref]: {names[other] for other in others} for ref, others in needs.items()}
    assert of["synapse-otel"] >= requirements() | {"preact", "uplot", "xxHash"}
    assert of["starlette"] >= {"anyio"}


def test_a_version_that_is_not_the_pinned_one_gives_no_licence() -> None:
    with pytest.raises(ValueError, match="is installed, 0 is pinned"):
        license_of(Pin("pydantic", "0", "", ()))


def test_a_line_of_the_pins_that_is_not_understood_is_no_pin_that_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "pins.txt"
    file.write_text("one==1 \\\n    --hash=sha256:00\n    # via synapse-otel (pyproject.toml)\ntwo @ file:///two\n")
    with pytest.raises(ValueError, match="2 pins, of which 1 are understood"):
        read_pins(file)
