"""The pytest fixtures: a job that is running when the test begins, and what it recorded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from synapse_otel.testing.recorded import RecordedJob


@pytest.fixture
def synapse_job() -> Iterator[RecordedJob]:
    """Run a job: ``synapse_job.ctx`` is its `RuntimeContext`, the rest is what was recorded so far."""
    from synapse_otel.testing.recorded import recorded_job

    with recorded_job() as job:
        yield job


@pytest.fixture
def fixed_synapse_job() -> Iterator[RecordedJob]:
    """Run a job with ids and times that are equal in every run, for snapshots."""
    from synapse_otel.testing.recorded import recorded_job

    with recorded_job(fixed=True) as job:
        yield job
