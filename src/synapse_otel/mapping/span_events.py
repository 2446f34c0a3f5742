"""The events of a scope's span, which are added to it when it ends."""

from __future__ import annotations

from typing import Any

from opentelemetry.trace import Span

from synapse_otel import semconv
from synapse_otel.semconv.event_budget import EventBudget

Candidate = tuple[int, str, dict[str, Any], str | None, dict[str, Any] | None]
"""Time in ns, name, attributes of the log record, its body if it has one, and data that is no attribute yet."""


class SpanEvents(EventBudget[Candidate]):
    """The candidates for a span's events, kept until the span ends: adding each at once costs 6 us."""

    __slots__ = ()

    @property
    def last_time(self) -> int:
        """Unix time in ns of the last kept candidate; 0: none."""
        return max((candidate[0] for candidate in self.latest()), default=0)

    def write(self, span: Span) -> None:
        """Add the kept candidates to the span, in order of time, and the number of dropped ones."""
        for time, name, attributes, body, data in sorted(self.kept(), key=lambda candidate: candidate[0]):
            shown = {key: value for key, value in attributes.items() if key != semconv.JOB_ID}
            for key, value in (data or {}).items():
                shown[semconv.DATA_PREFIX + key] = value
            if body is not None:
                shown[semconv.MESSAGE] = body
            span.add_event(name, shown, time)
        if self.dropped:
            span.set_attribute(semconv.EVENTS_DROPPED, self.dropped)
