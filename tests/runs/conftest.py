"""Runs that several tests look at: nobody writes to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from synapse_otel.journal.folder import run_folders
from tests.runs.runs import run, start


def only(root: Path) -> Path:
    (folder,) = run_folders(root)
    return folder


@pytest.fixture(scope="session")
def success(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run that ended well."""
    root = tmp_path_factory.mktemp("success")
    assert run(root, "success") == 0
    return only(root)


@pytest.fixture(scope="session")
def failure(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run whose last step failed."""
    root = tmp_path_factory.mktemp("failure")
    assert run(root, "failure") == 1
    return only(root)


@pytest.fixture(scope="session")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run that was killed in a step."""
    root = tmp_path_factory.mktemp("killed")
    with start(root, "stay") as process:
        process.communicate("die\n", timeout=60)
    assert process.returncode == -9
    return only(root)


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run with more of everything than a report shows."""
    root = tmp_path_factory.mktemp("many")
    assert run(root, "many") == 0
    return only(root)
