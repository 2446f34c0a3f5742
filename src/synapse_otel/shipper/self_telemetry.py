"""Self-telemetry: the delivery account of a journal as OpenTelemetry metrics.

They are added to requests that are sent anyway, in their own instrumentation scope, and are not records of the
journal. All are cumulative from the journal's beginning: the numbers come from the cursors, so that they continue
where another shipper stopped. The numbers of a request's own signal are valid once that request is accepted.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from synapse_otel import semconv
from synapse_otel._version import __version__
from synapse_otel.journal.cursor import EVICTED, Cursor, read_cursor
from synapse_otel.journal.frames import SIGNAL_OF, Scope, Segment
from synapse_otel.journal.reader import Frame
from synapse_otel.otlp.encode.metrics import Distribution, gauge_points, histogram_point, metric, sum_point
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper.pipelines.outbox import INVALID, POISON, REJECTED

OWN_SCOPE: Final = Scope(-3, semconv.SHIPPER_SCOPE_NAME, __version__)
"""The scope of all this; the numbers of a journal's own begin at 0."""
OTHERS_SECONDS: Final = 0.5
"""How long the end of the metrics is held back at most until the other signals have come to theirs."""
EXPORTERS: Final = {"grpc": "otlp_grpc_exporter", "http/protobuf": "otlp_http_exporter"}
"""By protocol, OpenTelemetry's name of such an exporter."""
_JOURNAL: Final = "synapse_journal"
_ERROR_TYPES: Final = {REJECTED: "rejected", INVALID: "invalid", POISON: "poison", EVICTED: "evicted"}
_EXPORTED: Final = {
    Signal.LOGS: semconv.SDK_LOG_EXPORTED,
    Signal.METRICS: semconv.SDK_POINT_EXPORTED,
    Signal.TRACES: semconv.SDK_SPAN_EXPORTED,
}
_QUEUES: Final = {Signal.LOGS: semconv.SDK_LOG_QUEUE, Signal.TRACES: semconv.SDK_SPAN_QUEUE}
_OTHERS: Final = (Signal.LOGS, Signal.TRACES)
_MARKS: Final = 1_000


class State(NamedTuple):
    """Counts of one signal of a journal."""

    emitted: int
    delivered: int
    dropped: Mapping[str, int]
    cursor: Cursor

    @property
    def pending(self) -> int:
        """Records that wait."""
        return max(self.emitted - self.delivered - sum(self.dropped.values()), 0)


class QueueAge:
    """How long the oldest record of a signal has waited, with the accuracy of periodic checks."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._marks: deque[tuple[int, float]] = deque(maxlen=_MARKS)
        """Numbers of records, and when each was seen."""

    def seconds(self, emitted: int, done: int) -> float:
        """Return the age, 0 when nothing waits; ``done``: how many of the records are delivered or dropped."""
        now = self._clock()
        while self._marks and self._marks[0][0] <= done:
            self._marks.popleft()
        if not self._marks or self._marks[-1][0] < emitted:
            self._marks.append((emitted, now))
        return now - self._marks[0][1] if emitted > done else 0.0


class OwnAccount:
    """The delivery account of a journal, as its metrics pipeline reports it."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.exporter = EXPORTERS["http/protobuf"]
        """What OpenTelemetry calls the kind of exporter: one of `EXPORTERS`."""
        self._folder = folder
        self._clock = clock
        self._emitted = dict.fromkeys(Signal, 0)
        """By signal, how many records the journal has had."""
        self._ages = {signal: QueueAge(clock) for signal in Signal}
        self._wait_until: float | None = None

    def begin(self, segment: Segment) -> None:
        """Set the numbers of records from the beginning of a segment."""
        for signal, sequence in zip(Signal, segment.sequences, strict=False):
            self._emitted[signal] = max(self._emitted[signal], sequence)

    def count(self, frame: Frame) -> None:
        """Count the records of a frame of any signal."""
        signal = SIGNAL_OF.get(frame.kind)
        if signal is not None:
            self._emitted[signal] = max(self._emitted[signal], frame.sequence + frame.count)

    def points(self, own: Cursor, delivered: int, dropped: Mapping[str, int]) -> list[Point]:
        """Return the metrics to report; for the metrics signal itself, newer numbers than its cursor has.

        Those are how many samples are delivered, and how many will never be, by reason.
        """
        states = {Signal.METRICS: State(self._emitted[Signal.METRICS], delivered, dropped, own)}
        for signal in _OTHERS:
            cursor = read_cursor(self._folder, signal)
            states[signal] = State(self._emitted[signal], cursor.delivered, cursor.dropped, cursor)
        ages = {
            signal: self._ages[signal].seconds(state.emitted, state.emitted - state.pending)
            for signal, state in states.items()
        }
        return points(states, ages, self.exporter)

    def waits_for_others(self) -> bool:
        """Return whether to wait briefly for the other signals, so that the last account includes their end."""
        now = self._clock()
        if self._wait_until is None:
            self._wait_until = now + OTHERS_SECONDS
        if now >= self._wait_until:
            return False
        cursors = [read_cursor(self._folder, signal) for signal in _OTHERS]
        return not all(cursor.complete or cursor.failure for cursor in cursors)

    def waits_for_nobody(self) -> None:
        """Report the end when it comes, without waiting for the other signals."""
        self._wait_until = self._clock()


class Point(NamedTuple):
    """A value of a metric."""

    metric: semconv.Metric
    attributes: dict[str, Any]
    value: float | Distribution

    def encode(self, start: int, now: int) -> bytes:
        """Return the ``Metric`` with this point; times are Unix times in ns."""
        what, attributes, value = self
        if isinstance(value, Distribution):
            point = histogram_point(attributes, start, now, value)
        elif what.instrument == "gauge":
            point = gauge_points(attributes, [(now, value)])
        else:
            point = sum_point(attributes, start, now, value)
        return metric(what.instrument, what.name, what.unit, what.description, [point])


def points(states: Mapping[Signal, State], ages: Mapping[Signal, float], exporter: str) -> list[Point]:
    """Return the metrics about a journal: by signal, its counts, and for how many seconds its oldest record has waited.

    ``exporter`` is one of `EXPORTERS`.
    """
    found = [Point(semconv.SDK_LOG_CREATED, {}, states[Signal.LOGS].emitted)]
    for signal, state in states.items():
        name = signal.name.lower()
        of = {semconv.SIGNAL: name}
        component = {semconv.COMPONENT_TYPE: exporter, semconv.COMPONENT_NAME: f"{exporter}/{name}"}
        found += [
            Point(semconv.SHIPPER_EMITTED, of, state.emitted),
            Point(semconv.SHIPPER_PENDING, of, state.pending),
            Point(semconv.SHIPPER_RETRIES, of, state.cursor.retries),
            Point(semconv.SHIPPER_SENT, of, state.cursor.size),
            Point(semconv.SHIPPER_QUEUE_AGE, of, ages[signal]),
            Point(_EXPORTED[signal], component, state.delivered - state.cursor.withheld),
        ]
        if signal == Signal.TRACES:
            found.append(Point(semconv.SHIPPER_WITHHELD, of, state.cursor.withheld))
        found += [
            Point(_EXPORTED[signal], {**component, semconv.ERROR_TYPE: _error_type(reason)}, count)
            for reason, count in state.dropped.items()
            if count > 0
        ]
        if signal in _QUEUES:
            journal = {semconv.COMPONENT_TYPE: _JOURNAL, semconv.COMPONENT_NAME: f"{_JOURNAL}/{name}"}
            found.append(Point(_QUEUES[signal], journal, state.pending))
        if state.cursor.exports:
            counted = Distribution(semconv.EXPORT_BUCKETS, state.cursor.exports, state.cursor.export_seconds)
            found.append(Point(semconv.SDK_EXPORT_DURATION, component, counted))
    return found


def _error_type(reason: str) -> str:
    """Return a reason for dropping records in one word."""
    return _ERROR_TYPES.get(reason) or reason.partition(" ")[0]
