"""The worker of an exception from Ray: that of a failed task, or a dead one."""

from __future__ import annotations

import re
from typing import Any, Final

from synapse_otel import semconv
from synapse_otel._guard import let_through

_MODULE: Final = "ray.exceptions"
_SAID: Final = {
    semconv.WORKER_PID: re.compile(r"(?:^\tpid: |\(pid=)(\d+)", re.MULTILINE),
    semconv.WORKER_HOST: re.compile(r"(?:^\tip: |, ip=)([^\s,)]+)", re.MULTILINE),
    semconv.RAY_ACTOR_ID: re.compile(r", actor_id=([0-9a-f]+)"),
    semconv.RAY_NODE_ID: re.compile(r"\bnode id: ([0-9a-f]{56})\b", re.IGNORECASE),
}
"""Facts about a worker that only the messages of Ray's exceptions have."""


def worker_of(error: BaseException) -> dict[str, Any]:
    """Return attributes of the worker of an exception, or of its cause; empty if it is not from Ray."""
    told = next((one for one in (error, error.__cause__) if type(one).__module__ == _MODULE), None)
    if told is None:
        return {}
    try:
        return _told(told)
    except Exception as failure:  # noqa: BLE001 - another version of Ray may have other exceptions
        let_through(failure)
        return {}


def _told(error: Any) -> dict[str, Any]:
    text = str(error)
    found: dict[str, Any] = {key: match[1] for key, pattern in _SAID.items() if (match := pattern.search(text))}
    if semconv.WORKER_PID in found:
        found[semconv.WORKER_PID] = int(found[semconv.WORKER_PID])
    actor = getattr(error, "actor_id", None) or found.get(semconv.RAY_ACTOR_ID)
    return {**found, semconv.WORKER_ID: actor, semconv.RAY_ACTOR_ID: actor} if actor else found
