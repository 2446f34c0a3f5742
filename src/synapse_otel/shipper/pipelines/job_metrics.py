"""What the shipper measures of the jobs of a journal: progress, heartbeat, use of resources, and how they end.

Progress and counters stand in the state block, all else follows from the jobs and steps that are open.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from synapse_otel import semconv
from synapse_otel.journal.folder import read_slots
from synapse_otel.journal.frames import Job, Series
from synapse_otel.journal.state_block import SlotValue, at_work
from synapse_otel.otlp.encode.metrics import Exemplar
from synapse_otel.semconv.readings import COUNTERS, PROGRESS, SlotKind, slot_attributes, unnamed_worker
from synapse_otel.shipper.pipelines.definitions import JournalDefinitions
from synapse_otel.shipper.pipelines.open_spans import is_step
from synapse_otel.shipper.pipelines.sums import Sums
from synapse_otel.shipper.self_telemetry import Point
from synapse_otel.shipper.usage.following import JournalUsage
from synapse_otel.shipper.usage.points import usage_points


class _Job(msgspec.Struct):
    """A job that was seen to begin."""

    attributes: dict[str, Any]
    scope: int
    own: bool
    """The journal's process runs it."""
    ended: bool = False
    told: bool = False
    """Its end has been sent: its series stop."""


class Times(NamedTuple):
    """The times of a request's points, as Unix times in ns."""

    start: int
    """When the journal began."""
    now: int
    activity: int
    """When the journal's process last did something."""
    alive: bool
    """It lives."""


class JobMetrics:
    """The metrics of a journal's jobs. What is counted when a job or step ends goes into the journal's sums."""

    def __init__(self, definitions: JournalDefinitions, sums: Sums, adopted: Iterable[str]) -> None:
        self._definitions = definitions
        self._sums = sums
        self.adopted = set(adopted)
        """Keys, in hexadecimal, of the jobs that began in the journal before and were counted here, too."""
        self._jobs: dict[bytes, _Job] = {}
        self._undone: set[bytes] = set()
        """Keys of the jobs for which the process, a worker, was killed in the middle of a task."""

    @property
    def running(self) -> bool:
        """Whether a job runs, as far as the journal was read; asked from another thread, too."""
        return any(not job.ended for job in list(self._jobs.values()))

    def take(self, job: Job, *, replayed: bool) -> bool:
        """Take a job that begins or ends; return whether its end has still to be sent.

        That of a ``replayed`` one was delivered before.
        """
        segment = self._definitions.segment
        worker = unnamed_worker(segment.journal) if segment else ""
        attributes = job.attributes if job.own else {semconv.WORKER_ID: worker, **job.attributes}
        known = self._jobs.setdefault(job.key, _Job(attributes, job.scope, own=job.own))
        ends = bool(job.end) and not known.ended
        if ends:
            known.ended = True
            known.told = replayed
        continues = segment is not None and segment.continues
        adopted = job.key.hex()
        if continues and job.own and not job.end and adopted not in self.adopted:
            # Its beginning was counted in the journal before, which counted it down again when it went on here.
            self.adopted.add(adopted)
            self._measure(semconv.JOB_ACTIVE, job.scope, job.attributes, 1)
        return ends and not replayed

    def leave(self) -> None:
        """Leave the jobs that are open to the journal in which they go on: two would tell of them."""
        for job in self._jobs.values():
            if not job.ended:
                job.ended = job.told = True
                self._count_down(job.scope, job.attributes)

    def kill(self) -> None:
        """Count what the process, which was killed, could not count: the end of its steps and jobs."""
        definitions = self._definitions
        self._undone = {key for key, _step in at_work(read_slots(definitions.folder))}
        end = definitions.time_of_death()
        for span in definitions.open_spans.values():
            if is_step(span):
                step = {
                    semconv.STEP_NAME: span.attributes.get(semconv.STEP_NAME),
                    semconv.STEP_RESULT: semconv.RESULT_ERROR,
                }
                shared = _shared(definitions.job_of(span))
                seconds = _seconds(span.start, end)
                made = Exemplar(end, seconds, span.trace_id + span.span_id)
                self._measure(semconv.STEP_DURATION, span.scope, {**shared, **step}, seconds, made)
        for job in definitions.own_jobs():
            self._count_down(job.scope, job.attributes)
            attributes = {**_shared(job), semconv.JOB_RESULT: semconv.RESULT_ERROR}
            seconds = _seconds(job.start, end)
            root = Exemplar(end, seconds, job.span[:24]) if job.span else None
            self._measure(semconv.JOB_DURATION, job.scope, attributes, seconds, root)
            cause = {semconv.ERROR_TYPE: definitions.death().error_type}
            self._measure(semconv.JOB_CRASHES, job.scope, {**job.attributes, **cause}, 1)

    def _count_down(self, scope: int, attributes: dict[str, Any]) -> None:
        active = self._sums.total(semconv.JOB_ACTIVE.name, attributes)
        self._measure(semconv.JOB_ACTIVE, scope, attributes, -active)

    def _measure(
        self,
        what: semconv.Metric,
        scope: int,
        attributes: dict[str, Any],
        value: float,
        made: Exemplar | None = None,
    ) -> None:
        bounds = list(semconv.DURATION_BUCKETS) if what.instrument == "histogram" else []
        series = Series(0, scope, what.instrument, what.name, what.unit, what.description, attributes, bounds)
        self._sums.add(series, value, made)

    def points(self, times: Times, merged: int, usage: JournalUsage | None) -> list[tuple[int, bytes]]:
        """Return the points of all jobs whose end was not sent, each with the number of its scope.

        ``merged`` samples were merged into newer ones; ``usage`` is what the process uses, where that is sampled.
        """
        found: list[tuple[int, bytes]] = []
        for slot in read_slots(self._definitions.folder):
            job = self._jobs.get(slot.job)
            if job is not None and not job.told:
                undone = slot.job in self._undone
                found += [(job.scope, point) for point in _slot_points(slot, job.attributes, times, undone=undone)]
        for job in self._jobs.values():
            if not job.told:
                found += [(job.scope, point) for point in _job_points(job, times, merged)]
                found += [(job.scope, point) for point in _used(job, usage)]
        return found + self._step_points(times)

    def committed(self) -> None:
        """Stop the series of jobs whose end has now been sent."""
        for job in self._jobs.values():
            job.told = job.ended

    def _step_points(self, times: Times) -> list[tuple[int, bytes]]:
        found = []
        for span in self._definitions.open_spans.values() if times.alive else ():
            job = self._definitions.job_of(span) if is_step(span) else None
            if job is not None:
                attributes = {**job.attributes, semconv.STEP_NAME: span.attributes.get(semconv.STEP_NAME)}
                elapsed = _seconds(span.start, times.now)
                found.append((span.scope, _point(semconv.STEP_ELAPSED, attributes, span.start, times.now, elapsed)))
        return found


def _shared(job: Job | None) -> dict[str, Any]:
    """Return the attributes of a duration: of one kind of job, not of one run."""
    own = {semconv.JOB_ID, semconv.WORKER_ID}
    return {key: value for key, value in job.attributes.items() if key not in own} if job else {}


def _seconds(start: int, end: int) -> float:
    return max(end - start, 0) / 1e9


def _job_points(job: _Job, times: Times, merged: int) -> list[bytes]:
    start, now = times.start, times.now
    found = [_point(semconv.JOB_METRIC_MERGED, job.attributes, start, now, merged)] if merged else []
    if times.alive and not job.ended:
        found.append(_point(semconv.JOB_ACTIVITY_TIME, job.attributes, start, now, times.activity / 1e9))
        if job.own:
            found.append(_point(semconv.JOB_HEARTBEAT_TIME, job.attributes, start, now, now / 1e9))
    return found


def _used(job: _Job, usage: JournalUsage | None) -> list[bytes]:
    if usage is None or usage.latest is None or usage.source is None or usage.is_covered:
        return []
    return usage_points(usage.source, usage.latest, job.attributes)


def _slot_points(slot: SlotValue, job: dict[str, Any], times: Times, *, undone: bool) -> list[bytes]:
    """Return the points of a slot; of what is ``undone``, and is done again by another, there is nothing to add up."""
    start, now = times.start, times.now
    if slot.kind == SlotKind.HELD:
        return []
    if isinstance(slot.value, int):
        counter, label = COUNTERS[slot.kind]
        attributes = slot_attributes(job, label, slot.text)
        return [_point(counter, attributes, start, now, slot.value)] if slot.value else []
    attributes = slot_attributes(job, semconv.CATEGORY, slot.text)
    if undone and slot.value.ratio < 1:
        return [
            _point(what, attributes, start, now, 0)
            for what in (semconv.JOB_PROGRESS_CURRENT, semconv.JOB_PROGRESS_LIMIT)
        ]
    values = ((what, read(slot.value)) for what, read in PROGRESS.items())
    return [_point(what, attributes, start, now, value) for what, value in values if value is not None]


def _point(what: semconv.Metric, attributes: dict[str, Any], start: int, now: int, value: float) -> bytes:
    return Point(what, attributes, value).encode(min(start, now), now)
