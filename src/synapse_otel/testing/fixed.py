"""Ids and a clock that give the same values in every run."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import count
from random import SystemRandom
from typing import Any, Final

from synapse_otel._otel_private import SDK_CLOCK

START: Final = 1_704_067_200_000_000_000
"""The first time that a fixed clock shows: 2024-01-01, 00:00 UTC, in ns."""
TICK: Final = 1_000_000
"""What passes between two looks at it: a millisecond."""
CLOCKS: Final = (
    "synapse_otel.journal.writer",
    "synapse_otel.sdk.logger",
    "synapse_otel.sdk.meter",
    "synapse_otel.sdk.spans",
    "synapse_otel.mapping.job",
    SDK_CLOCK,
)
"""The modules whose ``time_ns`` times what is recorded."""


class Clock:
    """A clock that only moves when it is looked at, or told to."""

    def __init__(self) -> None:
        self._now = START - TICK

    def __call__(self) -> int:
        """Return the next millisecond, as Unix time in ns."""
        self._now += TICK
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += int(seconds * 1e9)


class Ids:
    """An id generator of OpenTelemetry's form: random ids, or 1, 2, 3..."""

    def __init__(self) -> None:
        self._random = SystemRandom()
        self._traces: Iterator[int] | None = None
        self._spans: Iterator[int] | None = None

    def generate_trace_id(self) -> int:
        """Return a trace id."""
        return next(self._traces) if self._traces is not None else self._random.randrange(1, 1 << 128)

    def generate_span_id(self) -> int:
        """Return a span id."""
        return next(self._spans) if self._spans is not None else self._random.randrange(1, 1 << 64)

    def is_trace_id_random(self) -> bool:
        """Return whether trace ids are random."""
        return self._traces is None

    @contextmanager
    def fixed(self) -> Iterator[None]:
        """Count from 1 for a while."""
        self._traces, self._spans = count(1), count(1)
        try:
            yield
        finally:
            self._traces = self._spans = None


@contextmanager
def fixed_clock() -> Iterator[Clock]:
    """Time everything that is recorded by a clock of its own for a while, records of Python's logging included."""
    clock = Clock()
    modules: list[Any] = [import_module(name) for name in CLOCKS]
    before = [module.time_ns for module in modules]
    make_record = logging.getLogRecordFactory()

    def timed_record(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make_record(*args, **kwargs)
        record.created = clock() / 1e9
        return record

    for module in modules:
        module.time_ns = clock
    logging.setLogRecordFactory(timed_record)
    try:
        yield clock
    finally:
        for module, time_ns in zip(modules, before, strict=True):
            module.time_ns = time_ns
        logging.setLogRecordFactory(make_record)
