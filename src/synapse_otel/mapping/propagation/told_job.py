"""What a variable of the environment tells of the job that a process works for, checked: anybody may have set it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from synapse_otel.mapping.propagation.remote_job import RemoteJob

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
    version: str = "0.1.0"  # which did not say

    def __post_init__(self) -> None:
        if not (0 <= self.trace_id < 1 << 128 and 0 <= self.span_id < 1 << 64):
            raise ValueError("an id is out of range")


def told_job(text: str, join: Callable[..., Callable[[], object]], settings: Any) -> RemoteJob:
    """Return the job that a text describes; the arguments are those of `inherited_job.inherit`.

    Raises:
        ValueError: it is no such text; msgspec's errors are ValueErrors.
        RecursionError: it is nested too deep.
    """
    told = msgspec.convert(json.loads(text), _Told)
    fields = msgspec.structs.asdict(told)
    set_up = (join, (settings, *told.set_up)) if told.set_up is not None else None
    return RemoteJob(**fields | {"key": bytes.fromhex(told.key), "set_up": set_up})
