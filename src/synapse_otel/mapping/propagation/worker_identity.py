"""The identity of a job's workers: a process that received the job's context, an actor or a task of Ray."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass, field
from typing import Any

from synapse_otel import semconv
from synapse_otel._guard import contain


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
