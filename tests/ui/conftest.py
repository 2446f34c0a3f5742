"""Runs to look at, a page that shows them, and a real browser."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from synapse_otel.journal.folder import run_folders
from tests.runs.runs import OTHER_JOB, REPOSITORY, environment, run, start

JOBS = Path(__file__).with_name("jobs.py")
_SERVE = """
from synapse_otel.journal import folder
folder.spare_roots = list  # what other tests, or the user's own jobs, have left there is not looked at
from synapse_otel.cli import main
main()
"""


def only(root: Path) -> Path:
    (folder,) = run_folders(root)
    return folder


def record(root: Path, job: str, *arguments: str) -> None:
    """Run a job of `jobs.py` to its end."""
    subprocess.run([sys.executable, JOBS, job, *arguments], env=environment(root), check=True, timeout=60)


@pytest.fixture(scope="session")
def shelf_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a success, a failure, a killed run and one with hostile texts: nobody writes to it."""
    root = tmp_path_factory.mktemp("shelf")
    assert run(root, "success") == 0
    assert run(root, "failure", **{OTHER_JOB: "job-4712"}) == 1
    with start(root, "stay") as process:
        process.communicate("die\n", timeout=60)
    record(root, "hostile")
    return root


@pytest.fixture
def root(shelf_root: Path, tmp_path: Path) -> Path:
    """A copy of `shelf_root` that a test may change."""
    return Path(shutil.copytree(shelf_root, tmp_path / "runs"))


class Serving:
    """Pages that are served, each by a process of its own."""

    def __init__(self) -> None:
        self.processes: list[subprocess.Popen[str]] = []

    def __call__(self, folder: Path, *arguments: str, **variables: str) -> str:
        """Serve a folder of journals, and return the page's address, token included."""
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, "view", "--no-browser", "--port", "0", *arguments],
            env=environment(folder, **variables),
            stdout=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found
        return found.group()

    def end(self) -> None:
        """End them."""
        for process in self.processes:
            process.kill()
            process.communicate()


@pytest.fixture(scope="session")
def sweep_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runs of two learning rates."""
    root = tmp_path_factory.mktemp("sweep")
    for rate in ("0.05", "0.2"):
        record(root, "sweep", rate)
    return root


@pytest.fixture
def served() -> Iterator[Serving]:
    serving = Serving()
    yield serving
    serving.end()


@pytest.fixture(scope="session")
def address(shelf_root: Path) -> Iterator[str]:
    """The address of a page that shows `shelf_root`."""
    serving = Serving()
    yield serving(shelf_root)
    serving.end()


@pytest.fixture
def steered(tmp_path) -> Iterator[subprocess.Popen[str]]:
    """A job that does what it is told, and where its journal is: `steered.root`."""
    root = tmp_path / "steered"
    process = subprocess.Popen(
        [sys.executable, JOBS, "obedient"],
        env=environment(root),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    process.root = root
    assert process.stdout.readline() == "ready\n"
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


def tell(process: subprocess.Popen[str], line: str) -> None:
    """Let a steered job do something, and wait until it has."""
    process.stdin.write(line + "\n")
    process.stdin.flush()
    if not line.startswith(("die", "end")):
        assert process.stdout.readline() == "done\n"


__all__ = ["REPOSITORY", "only", "record", "tell"]
