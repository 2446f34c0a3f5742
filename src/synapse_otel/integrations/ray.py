"""Ray: what its workers say of themselves, and of their work.

A `RuntimeContext` that is passed to a task or an actor works there without any of this. Importing this module loads no
Ray, and needs none.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from synapse_otel.mapping.propagation.tasks_in_hand import held
from synapse_otel.mapping.propagation.worker_identity import this_worker

if TYPE_CHECKING:
    from synapse_otel.plugins.context import RuntimeContext
    from synapse_otel.plugins.steps import BaseStepContext

__all__ = ["worker_attributes", "working"]


def worker_attributes() -> dict[str, Any]:
    """Return what tells this worker of Ray apart: host, process, and Ray's ids of actor, task, worker, node and job.

    Empty where there is no Ray, or this is none of its workers.
    """
    worker = this_worker()
    return dict(worker.attributes) if worker.is_ray else {}


def working(ctx: RuntimeContext | BaseStepContext) -> AbstractContextManager[None]:
    """Return a context manager for the part of an actor's method in which it works for a job.

    ::

        def train(self):
            with working(self.ctx):
                ...

    An actor that is killed inside of it ends its span as an error. Outside, nobody can tell whether a killed actor was
    needed any more, and its span ends without one. A task needs no such word: it works until it has returned.

    Args:
        ctx: that the actor was passed.

    Raises:
        TypeError: ``ctx`` is no context.
    """
    from synapse_otel.plugins.context import RuntimeContext

    runtime = getattr(ctx, "runtime_ctx", ctx)
    if not isinstance(runtime, RuntimeContext):
        msg = f"ctx must be a RuntimeContext or the context of a step, got {ctx!r}"
        raise TypeError(msg)
    return held(runtime.job)
