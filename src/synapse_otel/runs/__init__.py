"""The read model: a run's journals as one typed value, whether its process runs, has ended or was killed."""

from __future__ import annotations

from synapse_otel.runs.attempts import by_job
from synapse_otel.runs.entries import (
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
from synapse_otel.runs.overview import JobOverview, Overview
from synapse_otel.runs.recording import Recording
from synapse_otel.runs.runs import (
    KnownRun,
    RunNotFoundError,
    find_run,
    find_runs,
    grouped,
    is_one_job,
    known_runs,
    nearest,
    run_groups,
    run_name,
    runs_of_job,
    same_run,
)
from synapse_otel.runs.state import RunState, emitted_records, run_state
from synapse_otel.runs.usage import RunUsage, UsageChart, UsageLine, run_usage
from synapse_otel.runs.workers import shown_workers

__all__ = [
    "CategoryProgress",
    "Count",
    "JobOverview",
    "KnownRun",
    "Link",
    "LogEntry",
    "LogKind",
    "Overview",
    "Recording",
    "Role",
    "RunNotFoundError",
    "RunState",
    "RunUsage",
    "Series",
    "Span",
    "SpanEvent",
    "UsageChart",
    "UsageLine",
    "by_job",
    "emitted_records",
    "find_run",
    "find_runs",
    "grouped",
    "is_one_job",
    "known_runs",
    "nearest",
    "run_groups",
    "run_name",
    "run_state",
    "run_usage",
    "runs_of_job",
    "same_run",
    "shown_workers",
]
