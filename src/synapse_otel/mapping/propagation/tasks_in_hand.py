"""The current tasks of a worker, to distinguish a kill during a task from a kill of an idle worker.

Ray kills idle workers without notice. So the state block, which survives the process, counts current tasks. A task is
current while it has a context, until it has returned and released it. An actor may keep a context for later: it is idle
unless it reports that it works (`synapse_otel.integrations.ray.working`).
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from synapse_otel.journal.memory.slots import CounterSlot
from synapse_otel.mapping.instruments import BLOCK
from synapse_otel.mapping.propagation.worker_identity import this_worker
from synapse_otel.semconv.readings import SlotKind

if TYPE_CHECKING:
    from synapse_otel.mapping.job import Job


def hold(context: object, job: Job | None) -> None:
    """Record a received context: if a task of Ray received it, the task is current while the context exists."""
    if job is None or job.is_own or job.is_detached:
        return
    worker = this_worker()
    if worker.is_ray and not worker.is_actor:
        slot = _slot(job)
        slot.add(1)
        weakref.finalize(context, _let_go, slot, os.getpid()).atexit = False


@contextmanager
def held(job: Job) -> Iterator[None]:
    """Mark a job as a current task for a while."""
    if job.is_own or job.is_detached:
        yield
        return
    slot = _slot(job)
    slot.add(1)
    try:
        yield
    finally:
        slot.add(-1)


def _slot(job: Job) -> CounterSlot:
    return BLOCK.counter(SlotKind.HELD, job.key, job.root.name or "")


def _let_go(slot: CounterSlot, process: int) -> None:
    if process == os.getpid():
        slot.add(-1)
