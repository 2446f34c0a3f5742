"""The SDK's environments, the platform, and runs of cases that many tests look at."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.synapse_sdk.fake_platform import FakePlatform, running_platform
from tests.synapse_sdk.running import TREE


@pytest.fixture(scope="session", autouse=True)
def sdk_environments() -> None:
    """What `tools/setup/sdk.sh` lays out, which `make test` does; without a Python 3.13 there is none."""
    if not (TREE / ".venv-sdk").is_dir():
        assert os.environ.get("CI") != "true", "CI must not leave out the tests of the real synapse-sdk"
        pytest.skip("no .venv-sdk: `sh tools/setup/sdk.sh .venv/bin` lays it out, with a Python 3.13")


@pytest.fixture(scope="session")
def platform() -> Iterator[FakePlatform]:
    """A platform for all runs."""
    with running_platform() as running:
        yield running
