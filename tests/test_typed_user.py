"""A user's program is checked by mypy and by pyright, both as strict as they can be, against the installed package."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest

from tools.docs import interface

pytestmark = pytest.mark.once

PROGRAM = Path(__file__).parent / "typed" / "user.py"
BIN = Path(sys.executable).parent
PYRIGHT = """
[tool.basedpyright]
typeCheckingMode = "strict"
pythonVersion = "3.11"
"""
"""Of a user's project: pyright's own strictest mode, in basedpyright, which runs without Node's package registry."""

HEAD = """\
import synapse_otel
from synapse_otel import LogLevel, PluginEnvironment, RuntimeContext, read
from synapse_otel.loggers import BackendLogger, NoOpLogger
from synapse_otel.plugins.steps import BaseStepContext, Orchestrator, StepRegistry, StepResult
from synapse_otel.testing import recorded_job

def calls(ctx: RuntimeContext, env: PluginEnvironment, registry: StepRegistry[BaseStepContext]) -> None:
"""
MISTAKES = """\
synapse_otel.job("train")
synapse_otel.job("train", plugin=1)
synapse_otel.job("train", plugin="yolo", params=["epochs"])
synapse_otel.job("train", plugin="yolo", log=NoOpLogger())
synapse_otel.jbo("train", plugin="yolo")
synapse_otel.child_environment("ctx")
ctx.set_progress("1", 4)
ctx.set_progress(1)
ctx.set_metrics([("loss", 0.5)])
ctx.set_metrics({"loss": 0.5}, step=3)
ctx.log("event", level=30)
ctx.log("event", ["data"])
ctx.log_message("words", context=1)
ctx.log_dev_event("words", [1, 2])
ctx.end_log(now=True)
ctx.set_progres(1, 4)
print(LogLevel.WARN)
rate: float = env.get_float("RATE"); print(rate)
BackendLogger(object(), "job-1")
Orchestrator(registry, ctx)
registry.register(StepResult())
saved: read.SavedRun = read.runs(); print(saved)
read.run(7)
print(read.run().metrics()["loss"])
print(recorded_job(fixed="yes"))
"""
"""Lines of which each is a user's mistake."""


@dataclass(frozen=True)
class Project:
    """A user's folder, outside of this repository, with a program in it."""

    folder: Path
    cache: Path
    """Of mypy, for all tests: what a user's second check takes."""

    def mypy(self) -> list[str]:
        """Return where mypy reports an error, and what."""
        return self._errors(
            [str(BIN / "mypy"), "--strict", "--no-error-summary", "--cache-dir", str(self.cache), "program.py"],
            r"^program\.py:(\d+): error: (.*)$",
        )

    def pyright(self) -> list[str]:
        """Return where pyright reports an error, and what."""
        return self._errors([str(BIN / "basedpyright"), "program.py"], r"program\.py:(\d+):\d+ - error: (.*)$")

    def _errors(self, command: list[str], pattern: str) -> list[str]:
        ended = self.run(command)
        found = [f"{line}: {text}" for line, text in re.findall(pattern, ended.stdout, re.MULTILINE)]
        assert ended.returncode == bool(found), ended.stdout + ended.stderr
        return found

    def run(self, command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
        foreign = ("OTEL_", "SYNAPSE_", "PYTHON", "MYPY")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        path = os.pathsep.join((str(BIN), os.environ["PATH"]))
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**kept, "PATH": path, "VIRTUAL_ENV": str(BIN.parent), **variables},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mypy")


@pytest.fixture
def project(tmp_path: Path, cache: Path) -> Project:
    """A user's project, with the program of this folder."""
    (tmp_path / "program.py").write_text(PROGRAM.read_text())
    (tmp_path / "pyproject.toml").write_text(PYRIGHT)
    return Project(tmp_path, cache)


def test_mypy_finds_nothing(project: Project) -> None:
    assert project.mypy() == []


def test_pyright_finds_nothing(project: Project) -> None:
    assert project.pyright() == []


@pytest.mark.parametrize("arguments", [[], ["testing"]])
def test_the_program_runs(project: Project, arguments: list[str]) -> None:
    """What it calls takes the arguments that it is given, so that no type promises more than there is."""
    command = [sys.executable, "-W", "error", "program.py", *arguments]
    variables = {"SYNAPSE_OTEL_JOURNAL_DIR": str(project.folder / "journals"), "SYNAPSE_OTEL_SHIPPER": "off"}
    ended = project.run(command, **variables)
    assert ended.returncode == 0, ended.stderr


def test_each_mistake_of_a_user_is_reported_by_both(project: Project) -> None:
    lines = MISTAKES.splitlines()
    (project.folder / "program.py").write_text(HEAD + "".join(f"    {line}\n" for line in lines))
    first = HEAD.count("\n") + 1
    for found in (project.mypy(), project.pyright()):
        at = {int(error.partition(":")[0]) - first for error in found}
        assert [line for number, line in enumerate(lines) if number not in at] == []
        assert at == set(range(len(lines)))


def test_the_program_uses_everything_that_is_public() -> None:
    tree = ast.parse(PROGRAM.read_text())
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    used |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    used |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert public_names() - used == set()


def public_names() -> set[str]:
    """Return the public names, and those of their members."""
    names: set[str] = set()
    for module in map(import_module, interface.MODULES):
        names |= set(module.__all__)
        for value in (getattr(module, name) for name in module.__all__):
            if isinstance(value, type):
                names |= interface.members(value)
    return names


def test_every_public_type_is_complete(project: Project) -> None:
    """By pyright's own score of a typed library, of the names that users import, and their members."""
    command = [str(BIN / "basedpyright"), "--verifytypes", "synapse_otel", "--ignoreexternal", "--outputjson"]
    report = json.loads(project.run(command).stdout)["typeCompleteness"]
    names = public_homes()
    own = {
        one["name"]: one["isTypeKnown"]
        for one in report["symbols"]
        if any(f"{one['name']}.".startswith(f"{name}.") for name in names)
    }
    assert len(own) > 500
    assert names & set(own), "the names themselves are among them"
    assert [name for name, is_known in own.items() if not is_known] == []


def public_homes() -> set[str]:
    """Return the public classes and functions, by where they are imported from and where they are written."""
    found = set()
    for module in map(import_module, interface.MODULES):
        for name in module.__all__:
            value = getattr(module, name)
            found.add(f"{module.__name__}.{name}")
            if hasattr(value, "__qualname__"):
                found.add(f"{value.__module__}.{value.__qualname__}")
    return found
