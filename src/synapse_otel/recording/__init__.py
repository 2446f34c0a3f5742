"""Reading side: what a run's journals hold, as one typed value, whatever became of the process that wrote them."""

from __future__ import annotations

from synapse_otel.recording.entries import (
    CategoryProgress,
    Count,
    Link,
    LogEntry,
    LogKind,
    Role,
    Series,
    Span,
    SpanEvent,
)
from synapse_otel.recording.recording import Recording
from synapse_otel.recording.runs import RunNotFoundError, find_run, known_runs, same_run
from synapse_otel.recording.state import RunState, emitted_records, run_state

__all__ = [
    "CategoryProgress",
    "Count",
    "Link",
    "LogEntry",
    "LogKind",
    "Recording",
    "Role",
    "RunNotFoundError",
    "RunState",
    "Series",
    "Span",
    "SpanEvent",
    "emitted_records",
    "find_run",
    "known_runs",
    "run_state",
    "same_run",
]
