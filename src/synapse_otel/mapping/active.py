"""Which scope a record belongs to: the one that its thread or task is in, else the only live job's."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from synapse_otel.mapping.span_scope import Scope

CURRENT: Final[ContextVar[Scope | None]] = ContextVar("synapse_otel.scope", default=None)
"""The scope that this thread or asyncio task is in."""

LIVE: Final[list[Scope]] = []
"""The root scopes of the jobs that run in this process, the youngest last."""


def scope_or_none() -> Scope | None:
    """Return the current scope; for a thread with no context of its own, that of the only live job."""
    scope = CURRENT.get()
    if scope is None and len(LIVE) == 1:
        return LIVE[0].job.current
    return scope
