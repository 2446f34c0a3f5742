"""What a worker has in hand: whether it was killed in the middle of its work, or while it had nothing to do.

Ray kills its workers when nobody needs them any more, without a word to them. So what is in hand stands in the state
block, which outlives the process. A task has a context in hand until it has returned and let go of it. An actor may
keep one for later: of it nobody knows whether it works, unless it says so (`synapse_otel.integrations.ray.working`).
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from synapse_otel.journal.state_block import CounterSlot
from synapse_otel.mapping.instruments import BLOCK
from synapse_otel.mapping.propagation.worker_identity import this_worker
from synapse_otel.semconv.readings import SlotKind

if TYPE_CHECKING:
    from synapse_otel.mapping.job import Job


def hold(context: object, job: Job | None) -> None:
    """Take note that a context was received: it is in hand as long as it is there, if a task of Ray was given it."""
    if job is None or job.is_own or job.is_detached:
        return
    worker = this_worker()
    if worker.is_ray and not worker.is_actor:
        slot = _slot(job)
        slot.add(1)
        weakref.finalize(context, _let_go, slot, os.getpid()).atexit = False


@contextmanager
def held(job: Job) -> Iterator[None]:
    """Have a job in hand for a while."""
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
