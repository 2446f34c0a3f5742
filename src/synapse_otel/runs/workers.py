"""The progress of a job that several processes report, without counting anything twice.

The process that runs the job decides: its own report of a category is used. Otherwise the category's progress is the
sum of each worker's last report. A worker that was killed during a task no longer counts if the job continued: its task
is repeated or skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from synapse_otel import semconv
from synapse_otel.journal.folder import Run
from synapse_otel.journal.state_block import SlotValue, at_work
from synapse_otel.journal.summary import Summary
from synapse_otel.runs.entries import CategoryProgress
from synapse_otel.runs.state import RunState
from synapse_otel.semconv.progress import Progress
from synapse_otel.semconv.readings import unnamed_worker


@dataclass(frozen=True, slots=True)
class Told:
    """The progress in one journal."""

    slots: Sequence[SlotValue]
    workers: dict[str, str]
    """By key of a job that is not the process' own: the worker's id."""
    gone: bool
    """The process died without closing its journal."""

    @classmethod
    def of(cls, slots: Sequence[SlotValue], summary: Summary, run: Run | None, state: RunState) -> Told:
        """Return the progress in a journal; ``summary`` of its jobs, ``state`` of its process."""
        journal = unnamed_worker(run.journal if run is not None else "")
        workers = {
            key: str(job.attributes.get(semconv.WORKER_ID, journal)) for key, job in summary.jobs.items() if not job.own
        }
        return cls(slots, workers, state is RunState.CRASHED)


def one_account(found: Iterable[Told], state: RunState) -> list[CategoryProgress]:
    """Return the last progress of each category of each job: the overall progress first, then in order of begin.

    ``found`` is that of the run's journals, the first one first; ``state`` is the run's.
    """
    own: dict[tuple[str, str], CategoryProgress] = {}
    parts: dict[tuple[str, str], dict[str, CategoryProgress]] = {}
    for told in found:
        lost = set()
        if told.gone and state is not RunState.CRASHED:
            lost = {job for job, _step in at_work(told.slots)}
        for slot in told.slots:
            if not isinstance(slot.value, Progress):
                continue
            key = slot.job.hex(), slot.text
            one = CategoryProgress(*key, slot.value, told.workers.get(key[0], ""))
            if not one.worker:
                own[key] = _newer(own.get(key), one)
            elif slot.job not in lost or slot.value.ratio >= 1:
                of_key = parts.setdefault(key, {})
                of_key[one.worker] = _newer(of_key.get(one.worker), one)
    joined = [_joined(own.get(key), parts.get(key, {})) for key in {**own, **parts}]
    return sorted(joined, key=lambda one: (bool(one.category), one.progress.start_time))


def _newer(known: CategoryProgress | None, one: CategoryProgress) -> CategoryProgress:
    return one if known is None or known.progress.time < one.progress.time else known


def _joined(own: CategoryProgress | None, parts: dict[str, CategoryProgress]) -> CategoryProgress:
    workers = tuple(sorted(parts.values(), key=lambda one: one.progress.start_time))
    if own is not None:
        return replace(own, workers=workers)
    each = [one.progress for one in workers]
    whole = Progress(
        current=sum(one.current for one in each),
        limit=sum(one.limit for one in each),
        time=max(one.time for one in each),
        start_time=min(one.start_time for one in each),
        start_current=sum(one.start_current for one in each),
        items=sum(one.items for one in each),
    )
    return CategoryProgress(workers[0].job, workers[0].category, whole, workers=workers)


def shown_workers(one: CategoryProgress) -> Sequence[CategoryProgress]:
    """Return the workers to show below a category: none if a single one is all of it."""
    alone = len(one.workers) == 1 and one.workers[0].progress == one.progress
    return () if alone else one.workers[:WORKERS_SHOWN]


WORKERS_SHOWN: Final = 32
"""Maximum number of shown workers of a category: those that began first."""
