"""The job that a process inherits through an environment variable of its parent.

A context that is used outside of any job then records in that job, like an unpickled context.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, Final

from opentelemetry.context import Context

from synapse_otel._guard import let_through
from synapse_otel.mapping.current import detached_job
from synapse_otel.mapping.job import Job
from synapse_otel.mapping.propagation.remote_job import RemoteJob, receive_job

_inherited: Final[list[tuple[RemoteJob | None, Context]]] = []


def as_text(handed: RemoteJob) -> str:
    """Return the job, without the settings, as text for another process's environment."""
    run = handed.set_up[1][1:] if handed.set_up is not None else None
    fields = {**asdict(replace(handed, set_up=None)), "key": handed.key.hex(), "set_up": run}
    return json.dumps(fields, separators=(",", ":"))


def inherit(text: str | None, parent: Context, join: Callable[..., Callable[[], object]], settings: Any) -> None:
    """Let contexts that are used outside of any job record in the job of an `as_text`.

    Args:
        text: if it is missing or cannot be understood, they record without a job...
        parent: ... as children of the span in this context.
        join: sets up a process for a job's run: settings, name, attributes, and the journal of the run.
        settings: the settings of this process.
    """
    handed = None
    if text:
        from synapse_otel.mapping.propagation.told_job import told_job  # with msgspec, which few processes need here

        try:
            handed = told_job(text, join, settings)
        except (ValueError, RecursionError) as error:
            let_through(error)
    _inherited[:] = [(handed, parent)]


def job_outside(job_id: str | None) -> Job:
    """Return the job of a context that is used outside of any: the inherited one, else one without spans."""
    if not _inherited:
        return detached_job(job_id)
    handed, parent = _inherited[0]
    if handed is not None and job_id in {None, handed.job_id}:
        return receive_job(handed)
    return detached_job(job_id, parent)
