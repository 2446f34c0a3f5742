"""The identity of a job's workers: a process that received the job's context, an actor or a task of Ray.

Also the worker that an exception of Ray tells of: that of a failed task, or a dead one.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from dataclasses import dataclass, field
from typing import Any, Final

from synapse_otel import semconv
from synapse_otel._guard import contain, guarded


@dataclass(frozen=True, slots=True)
class Worker:
    """The identity of a process as a worker."""

    id: str
    """Unique among the job's workers: an actor's does not change when Ray restarts it."""
    name: str = ""
    """Of Ray's actor, or its class, or the function of the task; empty elsewhere."""
    attributes: dict[str, Any] = field(default_factory=dict)
    """For its span."""
    is_ray: bool = False
    is_actor: bool = False


def this_worker() -> Worker:
    """Return the current identity of this process: in Ray, that of the actor or task in this thread."""
    host, pid = platform.node(), os.getpid()
    attributes = {semconv.HOST_NAME: host, semconv.PROCESS_PID: pid}
    ray = sys.modules.get("ray")  # who has not loaded it is none of its workers
    if ray is not None:
        try:
            found = _of_ray(ray, attributes)
        except Exception as error:  # noqa: BLE001 - another version of Ray may answer differently, or not at all
            contain(error)
            found = None
        if found is not None:
            return found
    return Worker(f"{host}:{pid}", attributes=attributes)


def _of_ray(ray: Any, attributes: dict[str, Any]) -> Worker | None:
    if not ray.is_initialized():
        return None
    context = ray.get_runtime_context()
    if context.worker.mode != ray.WORKER_MODE:
        return None  # the driver
    actor, worker = context.get_actor_id(), context.get_worker_id()
    function = context.get_task_function_name() or ""
    found = {
        semconv.RAY_ACTOR_ID: actor,
        semconv.RAY_TASK_ID: context.get_task_id(),
        semconv.RAY_WORKER_ID: worker,
        semconv.RAY_NODE_ID: context.get_node_id(),
        semconv.RAY_JOB_ID: context.get_job_id(),
    }
    parts = function.split(".")
    name = (context.get_actor_name() or parts[-2:][0]) if actor else parts[-1]
    known = {key: value for key, value in found.items() if value}
    return Worker(actor or worker, name, {**attributes, **known}, is_ray=True, is_actor=bool(actor))


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
    return guarded(_told, told, otherwise=lambda _error: {})  # another version of Ray may have other exceptions


def _told(error: Any) -> dict[str, Any]:
    text = str(error)
    found: dict[str, Any] = {key: match[1] for key, pattern in _SAID.items() if (match := pattern.search(text))}
    if semconv.WORKER_PID in found:
        found[semconv.WORKER_PID] = int(found[semconv.WORKER_PID])
    actor = getattr(error, "actor_id", None) or found.get(semconv.RAY_ACTOR_ID)
    return {**found, semconv.WORKER_ID: actor, semconv.RAY_ACTOR_ID: actor} if actor else found
