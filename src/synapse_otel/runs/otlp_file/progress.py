"""The progress of a job, from the gauges that were sent of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from synapse_otel import semconv
from synapse_otel.journal.state_block import BLOCK_SIZE, StateBlock

_LATEST: Final = 9e9
"""Times in s beyond it are no 64-bit integers in ns."""

_CURRENT, _LIMIT, _TIME, _ETA = (
    one.name
    for one in (semconv.JOB_PROGRESS_CURRENT, semconv.JOB_PROGRESS_LIMIT, semconv.JOB_PROGRESS_TIME, semconv.JOB_ETA)
)
_GAUGES: Final = frozenset({_CURRENT, _LIMIT, _TIME, _ETA})
_Last = dict[str, tuple[int, float]]
"""By gauge: time and value of its last point."""


class SentProgress:
    """The last progress of each category of each job: from its own process, or else the sum of its workers."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], dict[str, _Last]] = {}

    def take(self, name: str, attributes: Mapping[str, Any], time: int, value: float) -> bool:
        """Add a point of a gauge; return whether it is one of progress. ``time`` is Unix time in ns."""
        if name not in _GAUGES:
            return False
        key = str(attributes.get(semconv.JOB_ID, "")), str(attributes.get(semconv.CATEGORY, ""))
        of_worker = self._known.setdefault(key, {})
        known = of_worker.setdefault(str(attributes.get(semconv.WORKER_ID, "")), {})
        known[name] = max(known.get(name, (0, 0.0)), (time, value))
        return True

    def block(self, keys: Mapping[str, bytes]) -> bytes:
        """Return a state block; ``keys`` are those of jobs by their ids."""
        block, home = StateBlock(), bytearray(BLOCK_SIZE)
        for (job, category), by_worker in self._known.items():
            told = [by_worker[""]] if "" in by_worker else list(by_worker.values())
            current, limit = (sum(_value(one, name) for one in told) for name in (_CURRENT, _LIMIT))
            seconds, left = (max(_value(one, name) for one in told) for name in (_TIME, _ETA))
            if not (0 < limit < math.inf and math.isfinite(current) and 0 <= seconds < _LATEST and 0 <= left < _LATEST):
                continue
            time = int(seconds * 1e9)
            slot = block.progress(keys.get(job, bytes(8)), category)
            if left > 0 and 0 < current < limit:  # so that rate and time left are what they were
                slot.set(0.0, limit, time - int(current * left / (limit - current) * 1e9))
            slot.set(current, limit, time)
        block.move(memoryview(home))
        return bytes(home)


def _value(told: _Last, name: str) -> float:
    return told.get(name, (0, 0.0))[1]
