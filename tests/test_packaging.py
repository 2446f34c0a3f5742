"""What is released: which files, from which sources, for which Pythons, and what a container needs of it."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from synapse_otel._version import __version__
from synapse_otel.otlp.senders import NEEDS_GRPC
from tests.sink import Sink, body
from tests.unpacking import unpack
from tests.wheels import TREE, Built, built_once, environment, install, run
from tools.release.pins import JOBS, VIEWERS, jobs_file, jobs_pins, needed_by, read_pins, requirements
from tools.setup.check_tree import tree_files

pytestmark = pytest.mark.once

PROJECT = tomllib.loads((TREE / "pyproject.toml").read_text())
GRPC = {Requirement(text).name for text in PROJECT["project"]["optional-dependencies"]["grpc"]}
NAME = f"synapse_otel-{__version__}"
STATIC = "synapse_otel/ui/web/static"
BUNDLE = {f"{STATIC}/{name}" for name in ("app.css", "app.js", "icon.svg", "index.html")}
ABOUT = {f"{NAME}.dist-info/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")}
KINDS = (
    r"src/synapse_otel/([a-z0-9_]+/)*[a-z0-9_]+\.py",
    r"src/synapse_otel/py\.typed",
    r"src/synapse_otel\.pth",
    r"native/([a-z]+\.[ch]|xxhash\.LICENSE)",
    r"web/(build\.mjs|package\.json|package-lock\.json|tsconfig\.json)",
    r"web/src/([a-z]+/)*[A-Za-z-]+\.(ts|tsx|css|html|svg)",
    r"\.gitignore|CHANGELOG\.md|LICENSE|README\.md|hatch_build\.py|pyproject\.toml",
)
"""Files that a source archive may be made of."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return built_once(tmp_path_factory)


def sources() -> set[str]:
    """The files of the tree that a source archive may be made of."""
    names = {file.relative_to(TREE).as_posix() for file in tree_files()}
    return {name for name in names if any(re.fullmatch(kind, name) for kind in KINDS)}


# --- which files --------------------------------------------------------------------------------------


def test_the_wheel_holds_the_package_and_nothing_else(built: Built) -> None:
    package = {name.removeprefix("src/") for name in sources() if name.startswith("src/")}
    files = built.wheel_files()
    assert len(files) == len(set(files))
    module = "synapse_otel/_native.abi3.so"
    compiled = {module} if (TREE / "src" / module).is_file() else set()  # else there is no compiler here
    assert set(files) == package | BUNDLE | ABOUT | compiled


def test_the_source_archive_holds_what_the_wheel_is_made_of_and_nothing_else(built: Built) -> None:
    made = {f"src/{name}" for name in BUNDLE} | {f"src/{STATIC}/made-from", "PKG-INFO"}
    files = built.source_files()
    assert len(files) == len(set(files))
    assert set(files) == {f"{NAME}/{name}" for name in sources() | made}


def test_twine_finds_nothing_to_complain_of(built: Built) -> None:
    """The README is rendered, as an index shows it, and warnings are errors."""
    checked = run(sys.executable, "-m", "twine", "check", "--strict", built.wheel, built.source)
    assert checked.count("PASSED") == 2, checked


# --- from the source archive --------------------------------------------------------------------------

WITHOUT_NETWORK = (["unshare", "--net"], ["unshare", "--map-root-user", "--net"])


def without_network() -> list[str]:
    """The beginning of a command that has no network."""
    for command in WITHOUT_NETWORK if shutil.which("unshare") else ():
        if not subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
            return list(command)
    pytest.skip("this machine does not let us take a network away from a process")


def test_the_source_archive_builds_the_same_without_network_and_with_its_requirements_alone(
    built: Built, tmp_path: Path
) -> None:
    from uv import find_uv_bin

    offline = [*without_network(), find_uv_bin(), "build", "--offline", "--no-build-isolation"]
    required = PROJECT["build-system"]["requires"]
    python = environment(tmp_path / "venv")
    install(python, *required, "--constraint", pins_file(tmp_path, TREE / "constraints" / "dev.txt"))
    unpack(built.source, tmp_path)

    run(*offline, "--python", python, "--wheel", "--out-dir", tmp_path / "again", built.source)
    run(*offline, "--python", python, "--sdist", "--out-dir", tmp_path / "again", tmp_path / NAME)
    pure = {**os.environ, "CC": "none"}
    run(*offline, "--python", python, "--wheel", "--out-dir", tmp_path / "pure", built.source, env=pure)

    assert (tmp_path / "again" / built.wheel.name).read_bytes() == built.wheel.read_bytes()
    assert (tmp_path / "again" / built.source.name).read_bytes() == built.source.read_bytes()
    assert [file.name for file in (tmp_path / "pure").glob("*.whl")] == [f"{NAME}-py3-none-any.whl"]


# --- what is required ---------------------------------------------------------------------------------


def imported() -> set[str]:
    """The modules that the package may import, and the names in them."""
    found = set[str]()
    for file in (TREE / "src" / "synapse_otel").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def modules_of(name: str) -> Iterator[str]:
    """Yield the modules that a distribution installs."""
    for file in distribution(name).files or ():
        module, dot, suffix = str(file).partition(".")
        if dot and suffix.split(".")[-1] in {"py", "so"}:
            yield module.removesuffix("/__init__").replace("/", ".")


def test_every_requirement_is_imported() -> None:
    used = imported()
    assert {name for name in requirements() | GRPC if used.isdisjoint(modules_of(name))} == set()


# --- what a container needs that only runs jobs -------------------------------------------------------


def pins_file(folder: Path, source: Path) -> Path:
    """Write the pins of a file without hashes, for wheels that are no pins."""
    file = folder / "pins.txt"
    file.write_text("".join(f"{pin.requirement}\n" for pin in read_pins(source)))
    return file


def test_the_pins_of_jobs_are_those_of_the_runtime_without_viewers_and_grpc() -> None:
    assert JOBS.read_text() == jobs_file(), "run `python -m tools.release jobs`"
    left_out = {pin.name for pin in needed_by(requirements())} - {pin.name for pin in jobs_pins()}
    assert left_out >= VIEWERS
    assert {pin.name for pin in read_pins(JOBS)}.isdisjoint(VIEWERS | GRPC)


DELIVER = """
import synapse_otel
with synapse_otel.job("train", plugin="yolo", job_id="job") as ctx:
    ctx.set_progress(1, 2, "training")
    ctx.set_metrics({"loss": 0.5}, "training")
    ctx.log_message("delivered")
"""


@pytest.fixture(scope="module")
def slim_python(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with the wheel and the pins of `constraints/jobs.txt`."""
    python = environment(tmp_path_factory.mktemp("slim") / "venv")
    install(python, "--require-hashes", "-r", JOBS)
    install(python, "--no-deps", built.wheel)
    return python


def settings(folder: Path, sink: Sink, **more: str) -> dict[str, str]:
    found = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "SYNAPSE_OTEL_"))}
    folder.mkdir(exist_ok=True)
    return found | {"SYNAPSE_OTEL_JOURNAL_DIR": str(folder), "OTEL_EXPORTER_OTLP_ENDPOINT": sink.url} | more


def test_a_container_with_the_pins_of_jobs_records_delivers_and_reports(slim_python: Path, tmp_path: Path) -> None:
    command: list[str | Path] = [slim_python, "-m", "synapse_otel"]
    with Sink() as sink:
        variables = settings(tmp_path / "journals", sink)
        run(slim_python, "-W", "error", "-c", DELIVER, cwd=tmp_path, env=variables)
        assert "delivered" in [body(record) for record in sink.logs()], "its own shipper, before the job's end"
        assert "nothing is pending" in run(*command, "sync", cwd=tmp_path, env=variables)
        [found] = json.loads(run(*command, "jobs", "--json", cwd=tmp_path, env=variables))
        assert found["jobs"][0]["result"] == "success"
        for shown in ("show", "jobs"):
            assert "train" in run(*command, shown, cwd=tmp_path, env=variables)
        assert "accepted in" in run(*command, "doctor", cwd=tmp_path, env=variables)
        run(*command, "export", "-o", str(tmp_path / "run.html"), cwd=tmp_path, env=variables)
    assert (tmp_path / "run.html").read_text().startswith("<!doctype html>")


IMPORT_ALL = """
import importlib, json, pkgutil, synapse_otel
missing = {}
for found in pkgutil.walk_packages(synapse_otel.__path__, "synapse_otel."):
    if found.name != "synapse_otel.__main__":
        try:
            importlib.import_module(found.name)
        except ImportError as error:
            missing[found.name] = error.name
print(json.dumps(missing))
"""


FREE = ("synapse_otel.integrations.", "synapse_otel.testing")
"""Modules of libraries that a user has or has not: training libraries, Ray, pytest."""


def test_only_the_viewers_and_grpc_import_what_a_container_with_the_pins_of_jobs_lacks(slim_python: Path) -> None:
    missing: dict[str, str | None] = json.loads(run(slim_python, "-c", IMPORT_ALL))
    parts = {"synapse_otel.ui.web.", "synapse_otel.ui.terminal.", "synapse_otel.otlp.grpc_"}
    assert {part for part in parts for name in missing if name.startswith(part)} == parts
    assert {name: missing[name] for name in missing if not name.startswith((*parts, *FREE))} == {}


def in_a_terminal(command: Sequence[str | Path], variables: dict[str, str]) -> tuple[int, str]:
    """Run a command in a terminal, and return its exit status and what it shows."""
    ours, its = os.openpty()
    with subprocess.Popen(command, env={**variables, "TERM": "xterm"}, stdin=its, stdout=its, stderr=its) as process:
        os.close(its)
        shown = b""
        try:
            while some := os.read(ours, 4096):
                shown += some
        except OSError:  # what Linux says when the last process has closed the other end
            pass
        os.close(ours)
    return process.returncode, shown.decode().replace("\r\n", "\n")


@pytest.mark.parametrize(("options", "missing"), [(["--no-browser"], "uvicorn"), (["--terminal"], "textual")])
def test_without_the_viewers_libraries_one_line_says_what_to_install(
    slim_python: Path, tmp_path: Path, options: list[str], missing: str
) -> None:
    with Sink() as sink:
        variables = settings(tmp_path / "journals", sink)
        run(slim_python, "-c", DELIVER, env=variables)
        code, shown = in_a_terminal([slim_python, "-m", "synapse_otel", "view", *options], variables)
    assert code == 2
    assert shown == (
        f"synapse-otel: `synapse-otel view` needs {missing}, which is not installed here: `pip install synapse-otel` "
        "installs it; `synapse-otel jobs`, `show` and `export` work without it\n"
    )


def test_without_the_extra_for_grpc_every_record_is_kept_and_one_line_says_what_to_install(
    slim_python: Path, tmp_path: Path
) -> None:
    command: list[str | Path] = [slim_python, "-m", "synapse_otel"]
    with Sink() as sink:
        variables = settings(tmp_path / "journals", sink)
        over_grpc = variables | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "SYNAPSE_OTEL_EXIT_TIMEOUT": "0"}
        run(slim_python, "-c", DELIVER, env=over_grpc)
        assert NEEDS_GRPC in run(*command, "sync", env=over_grpc, code=1)
        assert NEEDS_GRPC in run(*command, "doctor", env=over_grpc, code=1)
        assert sink.logs() == []
        assert "pending 0" in run(*command, "sync", "--all", env=variables)
        assert "delivered" in [body(record) for record in sink.logs()]


# --- every Python -------------------------------------------------------------------------------------

PYTHONS = [f"3.{minor}" for minor in range(11, 16)]
INSTALL = """
"$PYTHON" -m venv "$1"
shift
"$0" -m pip install --quiet --disable-pip-version-check --no-compile "$@"
"$0" -m pip check --disable-pip-version-check
"""


def is_there(version: str) -> bool:
    """Return whether tools/setup/python.sh finds a Python without fetching one."""
    if os.environ.get(f"PYTHON{version.replace('.', '')}"):
        return True
    cache, data = (
        Path(os.environ.get(f"XDG_{name}_HOME") or Path.home() / place)
        for name, place in (("CACHE", ".cache"), ("DATA", ".local/share"))
    )
    unpacked = [folder for folder in (cache / "synapse-otel").glob(f"python-{version}-*") if "." not in folder.name[9:]]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found: list[str | Path] = [f"python{version}", *pyenv.glob(f"{version}*/bin/python{version}")]
    found += (data / "uv" / "python").glob(f"cpython-{version}*/bin/python{version}")
    return bool(unpacked) or any(runs(python) for python in found)


def runs(python: str | Path) -> bool:
    try:
        return not subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode
    except OSError:
        return False


@pytest.mark.parametrize("version", PYTHONS)
def test_pip_installs_the_wheel_on_every_python_and_a_job_is_delivered(
    built: Built, tmp_path: Path, version: str
) -> None:
    if not is_there(version):
        pytest.skip(f"no Python {version} here")
    setup = TREE / "tools" / "setup"
    there = ["sh", str(setup / "network.sh"), str(Path(sys.executable).parent), "sh", str(setup / "python.sh"), version]
    venv = tmp_path / "venv"
    python = venv / "bin" / "python"
    with Sink() as sink:
        variables = settings(tmp_path / "journals", sink)
        wanted: list[str | Path] = [
            "--constraint",
            pins_file(tmp_path, TREE / "constraints" / "runtime.txt"),
            built.wheel,
        ]
        run(*there, "sh", "-euc", INSTALL, python, venv, *wanted, env=variables)
        asked = f"import sys; print('%d.%d' % sys.version_info[:2])\n{DELIVER}"
        assert run(*there, python, "-W", "error", "-c", asked, env=variables).startswith(f"{version}\n")
        assert "delivered" in [body(record) for record in sink.logs()]
        assert "nothing is pending" in run(*there, python, "-m", "synapse_otel", "sync", env=variables)


def test_every_python_that_is_promised_is_tried() -> None:
    classifiers = PROJECT["project"]["classifiers"]
    assert [found[1] for text in classifiers if (found := re.fullmatch(r".*:: (3\.\d+)", text))] == PYTHONS
