"""Counters of a job by name, within a bound."""

from __future__ import annotations

from typing import Protocol

from synapse_otel import semconv
from synapse_otel.journal.state_block import CounterSlot
from synapse_otel.mapping.instruments import BLOCK
from synapse_otel.semconv.readings import SlotKind


class _HasKey(Protocol):
    key: bytes


class Counters(dict[str, CounterSlot]):
    """Counter slots by name, bounded: names beyond the limit share one slot."""

    def __init__(self, job: _HasKey, kind: SlotKind, limit: int) -> None:
        super().__init__()
        self._job = job
        self._kind = kind
        self._limit = limit

    def __missing__(self, name: str) -> CounterSlot:
        label = name if len(self) < self._limit else semconv.OTHER
        slot = BLOCK.counter(self._kind, self._job.key, label)
        if label == name:
            self[name] = slot
        return slot
