"""A job in another process: what travels when its context is pickled, and the job that records there.

It is the same job in the same trace, and its records belong to the step in which the context was pickled. The other
process cannot end the job. In the process that pickled it, an unpickled context records in the original job.
"""

from __future__ import annotations

import copyreg
import os
from collections.abc import Callable
from dataclasses import dataclass
from time import time_ns
from typing import Any, Final

from opentelemetry.trace import SpanContext, TraceFlags, TraceState

from synapse_otel import semconv
from synapse_otel._guard import let_through
from synapse_otel._version import __version__
from synapse_otel.journal.state_block import JobEntry
from synapse_otel.mapping.current import detached_job, job_of_context
from synapse_otel.mapping.instruments import BLOCK, JOB_ATTRIBUTES
from synapse_otel.mapping.job import CURRENT, LIVE, Job, SetUp, WorkSpan
from synapse_otel.mapping.propagation.worker_identity import this_worker
from synapse_otel.mapping.propagation.worker_span import begin_worker, end_worker
from synapse_otel.notices import Check, explained_by, say_once

_RECEIVED_LIMIT: Final = 64
"""Maximum number of received jobs and steps that a process caches; others are created again."""


@dataclass(frozen=True, slots=True)
class RemoteJob:
    """What another process has to know of a job, and of the scope in it that its context was pickled in.

    The other process may run another release: a new field goes last, and an older release passes over it.
    """

    job_id: str | None
    category: str | None
    attributes: dict[str, Any]
    """Of the job's metrics."""
    live_spans: str
    key: bytes
    start: int
    """Of the job, Unix time in ns."""
    trace_id: int
    trace_flags: int
    trace_state: str
    set_up: SetUp | None
    """Sets up the recording in the other process."""
    step: str | None
    """None outside of steps."""
    span_id: int
    step_start: int
    version: str = __version__
    """Of the release in the process that tells of the job. A `RemoteJob` that 0.1.0 has pickled has none."""


def job_to_hand_over(job: Job | None, job_id: str | None) -> Job | None:
    """Return the job of a context that is copied or pickled: its own, or the current one.

    None without a job: the copy finds or creates one where it is used next.
    """
    found = job if job is not None else job_of_context()
    if found is None or found.is_detached or (job is None and job_id not in {None, found.id}):
        return None
    return found


def hand_over(scope: WorkSpan) -> RemoteJob:
    """Return what another process has to know to record in a scope's job, below the scope."""
    job = scope.job
    span = job.root.span.get_span_context()
    return RemoteJob(
        job_id=job.id,
        category=job.category,
        attributes=dict(job.attributes),
        live_spans=job.live_spans,
        key=job.key,
        start=job.start_time,
        trace_id=span.trace_id,
        trace_flags=int(span.trace_flags),
        trace_state=span.trace_state.to_header(),
        set_up=job.set_up,
        step=scope.name,
        span_id=scope.span.get_span_context().span_id,
        step_start=scope.start,
    )


def _reduce_job(job: Job) -> tuple[Callable[..., Job], tuple[RemoteJob]]:
    scope = CURRENT.get()
    return receive_job, (hand_over(scope if scope is not None and scope.job is job else job.current),)


def _reduce_scope(scope: WorkSpan) -> tuple[Callable[..., WorkSpan], tuple[RemoteJob]]:
    return _receive_scope, (hand_over(scope),)


copyreg.pickle(Job, _reduce_job)
copyreg.pickle(WorkSpan, _reduce_scope)


# --- in the other process --------------------------------------------------------------------------------


def _receive_scope(handed: RemoteJob) -> WorkSpan:
    job = receive_job(handed)
    return job.scope_of(handed.span_id) if job.is_own else job.root


def receive_job(handed: RemoteJob) -> Job:
    """Return the job in this process: the original if it runs here, else a worker's job for it."""
    for live in LIVE:
        if live.key == handed.key and live.id == handed.job_id and live.is_own:
            return live
    place = os.getpid(), handed.key, handed.span_id
    job = _RECEIVED.get(place)
    if job is None or job.root.ended:
        try:
            _end_other_runs(handed.set_up)
            job = _made(handed)
        except Exception as error:
            theirs = getattr(handed, "version", "0.1.0")
            if theirs == __version__:
                raise
            let_through(error)
            say_once(
                f"this process has synapse-otel {__version__} and cannot use the job's context, which is from {theirs} "
                f"({type(error).__name__}: {error}): what it does for the job is not recorded with the job; install "
                f"the same release in both; {explained_by(Check.ENVIRONMENT)}"
            )
            return detached_job(handed.job_id)
        while len(_RECEIVED) >= _RECEIVED_LIMIT:
            _forget(next(iter(_RECEIVED)))
        _RECEIVED[place] = job
    if not any(live.is_own for live in LIVE):
        LIVE[:] = [job]  # what has no context of its own belongs to the job that this process works for
    return job


_RECEIVED: Final[dict[tuple[int, bytes, int], Job]] = {}
"""What this process received, by process id (a forked child inherits this), key of the job and span id."""


def _end_other_runs(set_up: SetUp | None) -> None:
    """Stop telling of the jobs of another run: this process now works for a new one."""
    for place, job in list(_RECEIVED.items()):
        if _run_of(job.set_up) != _run_of(set_up) or place[0] != os.getpid():
            _forget(place)
            if place[0] == os.getpid():
                BLOCK.end(job.key, time_ns())


def _run_of(set_up: SetUp | None) -> object:
    """Return the run for which a process is set up: its journal is last. The settings may come from elsewhere."""
    return set_up[1][-1:] if set_up is not None else None


def end_received() -> None:
    """End the spans of received jobs: the process ends, or runs its own job from now on."""
    for place, job in list(_RECEIVED.items()):
        _end(place, job)


def _forget(place: tuple[int, bytes, int]) -> None:
    job = _RECEIVED.pop(place, None)
    if job is not None:
        _end(place, job)


def _end(place: tuple[int, bytes, int], job: Job) -> None:
    if place[0] == os.getpid():  # what the child of a fork inherited is its parent's to end
        end_worker(job.root)


def _made(handed: RemoteJob) -> Job:
    flush = None
    if handed.set_up is not None:
        function, arguments = handed.set_up
        flush = function(*arguments)
    job = Job(handed.job_id, handed.category, handed.attributes, handed.live_spans, own=False)
    same = next((other for other in _RECEIVED.values() if other.key == handed.key), None)
    if same is not None:
        job.share(same)
    job.key = handed.key
    job.set_up = handed.set_up
    job.start_time = handed.start
    if flush is not None:
        job.flush = flush
    remote = None
    if handed.trace_id:
        flags, state = TraceFlags(handed.trace_flags), TraceState.from_header([handed.trace_state])
        remote = SpanContext(handed.trace_id, handed.span_id, is_remote=True, trace_flags=flags, trace_state=state)
    # Progress and counters are each worker's own; what it measures is the job's.
    attributes = {**job.attributes, semconv.WORKER_ID: this_worker().id}
    JOB_ATTRIBUTES[job.key] = attributes
    known = BLOCK.jobs.get(job.key)
    if known is None or semconv.WORKER_ID not in known.attributes:  # the child of a fork knows its parent's jobs
        entry = JobEntry(
            job.key, handed.start, attributes, job.category or "", handed.trace_id, handed.trace_flags, own=False
        )
        BLOCK.begin(entry)
    job.root = begin_worker(job, handed.step, remote) if remote else WorkSpan(job, None, handed.step, handed.step_start)
    return job
