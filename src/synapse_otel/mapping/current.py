"""The job span or step span of a record, even without a job."""

from __future__ import annotations

from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.trace import get_current_span

from synapse_otel.mapping.job import CURRENT, LIVE, Job, WorkSpan


def current_or_none() -> WorkSpan | None:
    """Return the current span of the context; for a thread without a context, that of the only live job."""
    scope = CURRENT.get()
    if scope is None and len(LIVE) == 1:
        return LIVE[0].current
    return scope


def detached_job(job_id: str | None = None, parent: Context | None = None) -> Job:
    """Return a job for a context without `start_job`: its records belong to the caller's current span.

    If there is none, they belong to the span in ``parent``.
    """
    job = Job(job_id)
    if get_current_span(parent or Context()).get_span_context().is_valid:
        emit = job.emit

        def emit_below(time: int, context: Context | None, *record: Any) -> None:
            current = get_current_span().get_span_context().is_valid
            emit(time, context if current else parent, *record)

        job.emit, job.template = emit_below, None
    return job


def job_of_context() -> Job | None:
    """Return the job that this thread or task is in, or the only live one."""
    scope = current_or_none()
    return scope.job if scope is not None else None


def current_span() -> WorkSpan:
    """Return the job span or step span of a record; a detached one without a job."""
    scope = current_or_none()
    if scope is not None:
        return scope
    if not _DETACHED:
        _DETACHED.append(detached_job())
    return _DETACHED[0].root


_DETACHED: Final[list[Job]] = []
