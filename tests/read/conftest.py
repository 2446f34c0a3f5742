"""Four runs: two that succeeded, one that failed and one that was killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.read.jobs import PARAMS
from tests.runs.runs import environment

JOBS = Path(__file__).with_name("jobs.py")


def record(root: Path, name: str, **variables: str) -> None:
    """Run a job of `jobs.py`."""
    subprocess.run([sys.executable, JOBS, name], env=environment(root, **variables), timeout=60, check=False)


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of journals that nobody writes to."""
    found = tmp_path_factory.mktemp("read")
    for name in PARAMS:
        record(found, name)
    return found
