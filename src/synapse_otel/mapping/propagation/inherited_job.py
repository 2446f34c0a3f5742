"""The job that a process inherits through an environment variable of its parent.

A context that is used outside of any job then records in that job, like an unpickled context.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta
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
        try:
            handed = _handed(msgspec.convert(json.loads(text), _Told), join, settings)
        except (ValueError, RecursionError) as error:  # msgspec's are ValueErrors
            let_through(error)
    _inherited[:] = [(handed, parent)]


_Scalar = str | int | float | bool | None
_Time = Annotated[int, Meta(ge=0)]


class _Told(msgspec.Struct):
    """What the variable may hold; anything else is refused. Members of a newer version are ignored."""

    attributes: dict[str, _Scalar]
    live_spans: str
    key: Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]
    start: _Time
    trace_id: int
    trace_flags: Annotated[int, Meta(ge=0, le=255)]
    trace_state: str
    span_id: int
    step_start: _Time
    job_id: str | None = None
    category: str | None = None
    set_up: tuple[str, dict[str, _Scalar], Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]] | None = None
    step: str | None = None

    def __post_init__(self) -> None:
        if not (0 <= self.trace_id < 1 << 128 and 0 <= self.span_id < 1 << 64):
            raise ValueError("an id is out of range")


def _handed(told: _Told, join: Callable[..., Callable[[], object]], settings: Any) -> RemoteJob:
    fields = msgspec.structs.asdict(told)
    set_up = (join, (settings, *told.set_up)) if told.set_up is not None else None
    return RemoteJob(**fields | {"key": bytes.fromhex(told.key), "set_up": set_up})


def job_outside(job_id: str | None) -> Job:
    """Return the job of a context that is used outside of any: the inherited one, else one without spans."""
    if not _inherited:
        return detached_job(job_id)
    handed, parent = _inherited[0]
    if handed is not None and job_id in {None, handed.job_id}:
        return receive_job(handed)
    return detached_job(job_id, parent)
