"""Every example of README.md and docs/ runs as it stands there."""

from __future__ import annotations

import re
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.docs.examples import FENCE, PAGES, RECIPES, TREE, Piece, blocks_of, pieces, run
from tests.wheels import needs
from tools.docs import commands

pytestmark = pytest.mark.once

NO_RUN = {
    "README.md": 2,  # `make`, and the import of another library
    "docs/api.md": 1,  # a developer's command, which tests/test_telemetry_schema.py runs
    "docs/neighbours.md": 5,  # Logfire, MLflow, W&B, and what needs PyTorch
    "docs/ray.md": 1,  # Ray Tune, Data and Train, which tests/ray/test_libraries.py runs
    "docs/runbook.md": 1,  # Alertmanager's own command
    "docs/synapse-sdk.md": 2,  # the real SDK, which has environments of its own
    "docs/start.md": 3,  # `make`, `pip`, and a page that is served until interrupted
}
"""How many blocks of a page are run nowhere."""
WITH_SERVERS = {
    "docs/backends.md": "tests/collector/test_backends.py",
    "docs/containers.md": "tests/containers",
    "docs/guide-stack.md": "tests/docs/test_guide_stack.py",
    "docs/jaeger.md": "tests/jaeger",
    "docs/kafka.md": "tests/collector/test_kafka.py",
}
"""Pages whose shell commands need the real servers, and what runs them there."""
_CODE = re.compile(r"`([^`\n]+)`")
_COMMAND = re.compile(r"(?<![\w/.-])synapse-otel ([a-z]+)((?: +(?!--\s|--$)[^\s|#`&]+)*)")


def with_code() -> list[Piece]:
    return [piece for piece in pieces() if piece.of("python") or shell_of(piece)]


def shell_of(piece: Piece) -> str:
    return "" if piece.name in WITH_SERVERS else "\n".join(part.text for part in piece.of("bash"))


LIBRARIES = {"docs/ray.md": "ray"}
"""Pages whose examples need a library that not every Python has."""


@pytest.mark.parametrize(
    "piece",
    [
        pytest.param(piece, marks=[needs(LIBRARIES[piece.name])] if piece.name in LIBRARIES else [], id=piece.name)
        for piece in with_code()
    ],
)
def test_code_runs(piece: Piece, tmp_path: Path):
    """Blocks with a file's name are files; the other Python runs in one process, then the shell's in one shell."""
    python = piece.of("python")
    for part in python:
        if part.name:
            (tmp_path / part.name).write_text(part.text, encoding="utf-8")
    page = "\n".join(part.text for part in python if not part.name)
    if page:
        (tmp_path / "page.py").write_text(page, encoding="utf-8")
        run([sys.executable, "-W", "error", "page.py"], tmp_path)
    tests = [part.name for part in python if part.name.startswith("test_")]
    if tests:
        run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *_fixtures(), *tests], tmp_path)
    if shell := shell_of(piece):
        run(["bash", "-euo", "pipefail", "-c", shell], tmp_path)


def _fixtures() -> list[str]:
    return [] if entry_points(group="pytest11", name="synapse_otel") else ["-p", "synapse_otel.testing"]


def test_few_blocks_are_not_run():
    left_out = {}
    for page in PAGES:
        found = [block for block in blocks_of(page.read_text(encoding="utf-8")) if block.name == "no-run"]
        if found:
            left_out[page.relative_to(TREE).as_posix()] = len(found)
    assert left_out == NO_RUN


def test_what_needs_servers_is_run_with_them():
    for page, where in WITH_SERVERS.items():
        assert (TREE / page).exists()
        assert (TREE / where).exists(), where


def test_every_recipe_is_run_or_links_to_what_is():
    text = RECIPES.read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    run_here = {piece.name for piece in with_code()}
    assert set(headings) - run_here == {"Test that a plugin reports"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(TREE).as_posix())
def test_commands_and_their_options_exist(page: Path):
    text = page.read_text(encoding="utf-8")
    code = [block.text for block in blocks_of(text) if block.language != "python"] + _CODE.findall(FENCE.sub("", text))
    for name, arguments in _COMMAND.findall("\n".join(code)):
        assert name in commands.COMMANDS
        options = {one.partition("=")[0] for one in arguments.split() if one.startswith("-")}
        assert options <= commands.option_names(name), f"{name}{arguments}"
