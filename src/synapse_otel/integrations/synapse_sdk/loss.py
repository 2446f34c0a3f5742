"""What the SDK's own job logger lost on its way to the platform, where it counts that: as counters of the job."""

from __future__ import annotations

from typing import Any, Final
from weakref import WeakSet

from opentelemetry import metrics

from synapse_otel import semconv
from synapse_otel._version import __version__
from synapse_otel.integrations.synapse_sdk.actions import ended_job_attributes

_REASONS: Final = ("dropped", "unsent", "delivery_unconfirmed")
_REPORTED: Final[WeakSet[Any]] = WeakSet()
"""Loggers that have told theirs: a logger may be finished twice."""


def record_loss(logger: Any) -> None:
    """Record what a logger that has finished says of its log entries; the first time that it finishes."""
    report = getattr(logger, "log_loss_report", None)
    if report is None or logger in _REPORTED:
        return
    _REPORTED.add(logger)
    counts = report()
    meter = metrics.get_meter(semconv.SCOPE_NAME, __version__)
    job = ended_job_attributes()
    lost, waits, waited = (
        meter.create_counter(metric.name, metric.unit, metric.description)
        for metric in (semconv.PLATFORM_LOG_LOST, semconv.PLATFORM_LOG_WAITS, semconv.PLATFORM_LOG_WAIT_TIME)
    )
    for reason in _REASONS:
        lost.add(counts.get(reason, 0), {**job, semconv.LOSS_REASON: reason})
    waits.add(counts.get("waits", 0), job)
    waited.add(counts.get("wait_seconds", 0), job)
