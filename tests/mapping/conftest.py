"""Jobs that record for real, shared by a module's property tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from synapse_otel.mapping.instruments import BLOCK
from synapse_otel.testing import RecordedJob, recorded_job


@pytest.fixture(scope="module")
def shared_job() -> Iterator[RecordedJob]:
    with recorded_job() as job:
        yield job


@pytest.fixture(scope="module")
def recorded_so_far(shared_job):
    """Return a function that tells all that was recorded so far: numbers of records, and the state block's slots."""

    def ask():
        slots = {(kind, job, text): slot.value() for kind, job, text, slot in BLOCK.items()}
        # An empty slot is no record: it is made before a value is checked, as it is kept for the next call.
        return shared_job.emitted(), {key: value for key, value in slots.items() if value}

    return ask
