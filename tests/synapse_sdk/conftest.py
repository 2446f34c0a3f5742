"""The SDK's environments, the platform, and runs of cases that many tests look at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.synapse_sdk.fake_platform import FakePlatform, running_platform
from tests.synapse_sdk.running import need_environments


@pytest.fixture(scope="session", autouse=True)
def sdk_environments() -> None:
    """Leave the tests out where the environments are missing."""
    need_environments()


@pytest.fixture(scope="session")
def platform() -> Iterator[FakePlatform]:
    """A platform for all runs."""
    with running_platform() as running:
        yield running
