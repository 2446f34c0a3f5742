"""Span events within a budget: the first, the last, and always room for warnings and errors."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from opentelemetry.trace import Span

from synapse_otel.signals import semconv

FIRST: Final = 40
LAST: Final = 40
IMPORTANT: Final = 40
"""Together below the 128 events that the SDK keeps of a span."""

Candidate = tuple[int, str, dict[str, Any], str | None, dict[str, Any] | None]
"""Time in ns, name, attributes of the log record, its body if it has one, and data that is no attribute yet."""


class SpanEvents:
    """The candidates for a span's events, kept until the span ends: adding each at once costs 6 us."""

    __slots__ = ("_first", "_important", "_last", "_total")

    def __init__(self) -> None:
        self._first: list[Candidate] = []
        self._important: list[Candidate] = []
        self._last: deque[Candidate] = deque(maxlen=LAST)
        self._total = 0

    def add(self, candidate: Candidate, important: bool) -> None:  # noqa: FBT001 - on the hot path
        """Keep a candidate as long as the budget allows."""
        self._total += 1
        if len(self._first) < FIRST:
            self._first.append(candidate)
        elif important and len(self._important) < IMPORTANT:
            self._important.append(candidate)
        else:
            self._last.append(candidate)

    @property
    def last_time(self) -> int:
        """Unix time in ns of the last candidate that was kept; 0 where there is none."""
        kept = (self._first[-1:], self._important[-1:], list(self._last)[-1:])
        return max((candidate[0] for part in kept for candidate in part), default=0)

    def write(self, span: Span) -> None:
        """Add what was kept to the span, in order of time, and how many were not."""
        kept = sorted([*self._first, *self._important, *self._last], key=lambda candidate: candidate[0])
        for time, name, attributes, body, data in kept:
            shown = {key: value for key, value in attributes.items() if key != semconv.JOB_ID}
            for key, value in (data or {}).items():
                shown[semconv.DATA_PREFIX + key] = value
            if body is not None:
                shown[semconv.MESSAGE] = body
            span.add_event(name, shown, time)
        if self._total > len(kept):
            span.set_attribute(semconv.EVENTS_DROPPED, self._total - len(kept))
