"""The scope that a record made here belongs to, also where no job is."""

from __future__ import annotations

from typing import Final

from synapse_otel.signals.active import scope_or_none
from synapse_otel.signals.job import Job
from synapse_otel.signals.scope import Scope


def detached_job(job_id: str | None = None) -> Job:
    """Return a job for a context that no `start_job` made: its records have no spans but the caller's current one."""
    return Job(job_id)


def job_of_context() -> Job | None:
    """Return the job that this thread or task is in, or the only live one."""
    scope = scope_or_none()
    return scope.job if scope is not None else None


def current_scope() -> Scope:
    """Return the scope that a record made here belongs to; a detached one where there is no job."""
    scope = scope_or_none()
    if scope is not None:
        return scope
    if not _DETACHED:
        _DETACHED.append(detached_job())
    return _DETACHED[0].root


_DETACHED: Final[list[Job]] = []
