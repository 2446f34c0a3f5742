"""The pipeline of metrics: samples as points of their own, measurements summed up, progress from the state block."""

from __future__ import annotations

import time
from collections import Counter
from math import inf
from pathlib import Path
from typing import Any, Final

import msgspec

from synapse_otel import semconv
from synapse_otel.journal import frames
from synapse_otel.journal.frames import Samples, Segment, Series
from synapse_otel.journal.reader import Frame
from synapse_otel.journal.state_block import SlotValue
from synapse_otel.otlp.encode.metrics import Exemplar, gauge_points, metric, sum_point
from synapse_otel.redaction import redact_values
from synapse_otel.semconv.readings import COUNTERS, PROGRESS, SlotKind, slot_attributes, unnamed_worker
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper.pipelines.base import SignalPipeline
from synapse_otel.shipper.pipelines.delivery import Send
from synapse_otel.shipper.pipelines.open_spans import at_work, is_step
from synapse_otel.shipper.pipelines.queue import Batch, Item
from synapse_otel.shipper.pipelines.sample_spacing import Spacing
from synapse_otel.shipper.pipelines.sums import Sums
from synapse_otel.shipper.self_telemetry import OWN_SCOPE, OwnAccount
from synapse_otel.shipper.usage.following import JournalUsage
from synapse_otel.shipper.usage.points import usage_points


class _Sample(msgspec.Struct):
    """One value of one series, as an item holds it until its request is encoded."""

    series: Series
    time: int
    value: float


class _Job(msgspec.Struct):
    """A job that the pipeline has seen begin."""

    attributes: dict[str, Any]
    scope: int
    own: bool
    """The journal's process runs it."""
    ended: bool = False
    told: bool = False
    """Its end has been sent: its series stop."""


_INSTRUMENTS: Final = frozenset({"gauge", "counter", "updowncounter", "histogram"})
"""Those of a newer version are unknown: their samples are counted as unreadable."""
MERGED: Final = "merged into a newer sample"
_OWN: Final = -2
"""Scope of the item that stands for all that the pipeline adds on its own."""
_READY: Final = -1
"""Scope of items that are encoded, scopes and all."""
_MILLISECOND: Final = 1_000_000
_SECOND: Final = 1_000_000_000


class MetricsPipeline(SignalPipeline):
    """Metrics. What it adds on its own (progress, sums, heartbeat) is made when a request is: always the latest."""

    signal = Signal.METRICS
    usage: JournalUsage | None = None
    """What the journal's process uses, where that is sampled."""

    def __init__(self, folder: Path, interval_seconds: float, *, self_telemetry: bool = True) -> None:
        self._interval = interval_seconds
        self._own = OwnAccount(folder) if self_telemetry else None
        self._due = 0.0
        self._series: dict[int, Series] = {}
        self._jobs: dict[bytes, _Job] = {}
        self._changed = False
        self._alive = True
        self._newest: dict[str, _Sample] = {}
        self._keys: dict[int, str] = {}
        self._continues = False
        self._worker = ""
        self._undone: set[bytes] = set()
        """Keys of the jobs for which the process, a worker, was killed in the middle of a task."""
        self._start = 0
        super().__init__(folder)
        self.scopes[OWN_SCOPE.id] = OWN_SCOPE

    # --- what the journal holds ---------------------------------------------------------------------

    def _take(self, batch: Batch, frame: Frame) -> None:
        super()._take(batch, frame)
        if self._own is not None:
            self._own.count(frame)

    def define(self, structure: Any) -> None:
        """Take the definition of a series."""
        if isinstance(structure, Series) and structure.instrument in _INSTRUMENTS:
            structure.attributes = redact_values(structure.attributes)
            self._series[structure.id] = structure

    def on_segment(self, segment: Segment) -> None:
        """Take note of when sums begin, and whether the jobs began in another journal."""
        self._start = self._start or segment.created
        if self._own is not None:
            self._own.begin(segment)
        self._continues = segment.continues
        self._worker = unnamed_worker(segment.journal)

    def on_job(self, job: frames.Job) -> None:
        """Take note of a job that begins or ends."""
        job.attributes = redact_values(job.attributes)
        attributes = job.attributes if job.own else {semconv.WORKER_ID: self._worker, **job.attributes}
        known = self._jobs.setdefault(job.key, _Job(attributes, job.scope, own=job.own))
        if job.end and not known.ended:
            known.ended = True
            known.told = self.replaying
            self._changed = self._changed or not self.replaying
            if self.usage is not None and not self.replaying:
                self.usage.refresh()  # the last that is told of it
        adopted = job.key.hex()
        if self._continues and job.own and not job.end and adopted not in self._adopted:
            # Its beginning was counted in the journal before, which counted it down again when it went on here.
            self._adopted.add(adopted)
            self._measure(semconv.JOB_ACTIVE, job.scope, job.attributes, 1)

    def on_continued(self) -> None:
        """Leave the jobs that are open to the journal in which they go on: two would tell of them."""
        for job in self._jobs.values():
            if not job.ended:
                job.ended = job.told = True
                self._count_down(job.scope, job.attributes)
        self._changed = True

    def take(self, frame: Frame, structure: Samples | None) -> list[Item]:
        """Turn samples into items; measurements of counters and histograms go into their sums."""
        if structure is None:
            return [Item(_READY, frame.payload, frame.count, self.uid(frame.sequence))]
        items: list[Item] = []
        numbers = structure.values
        for at in range(0, len(numbers), 2):
            series = self._series.get(int(numbers[at]))
            if series is None:
                self._batch.drop("unreadable", 1)
            elif series.instrument == "gauge":
                items += self._sample(series, structure.time, numbers[at + 1])
            else:
                made = Exemplar(structure.time, numbers[at + 1], structure.span) if structure.span else None
                self._sums.add(series, numbers[at + 1], made)
                self._changed = True
                items.append(Item(series.scope, None))
            self.last_time = max(self.last_time, structure.time)
        return items

    def _sample(self, series: Series, recorded: int, value: float) -> list[Item]:
        key = (
            f"{series.name} {sorted(series.attributes.items())!r}"
            if series.id not in self._keys
            else self._keys[series.id]
        )
        self._keys[series.id] = key
        newest = self._newest.get(key)
        placed = self._spacing.place(key, recorded, first=newest is None)
        if placed is None:
            self._batch.drop(MERGED, 1)
            if newest is not None:
                newest.value = value
            return []
        sample = self._newest[key] = _Sample(series, placed, value)
        return [Item(series.scope, sample)]

    @property
    def runs_job(self) -> bool:
        """Whether a job runs, as far as the journal was read; asked from another thread, too."""
        return any(not job.ended for job in list(self._jobs.values()))

    # --- what the pipeline keeps ------------------------------------------------------------------------

    def restore(self, state: dict[str, Any]) -> None:
        """Take up sums and last times."""
        self._sums = Sums(state.get("sums"))
        self._spacing = Spacing(state.get("last"))
        self._start = int(state.get("start", 0))
        self._sent_until = int(state.get("sent_until", 0))
        self._adopted = set(state.get("adopted", ()))

    def state(self) -> dict[str, Any]:
        """Return sums and last times."""
        return {
            "sums": self._sums.kept(),
            "last": self._spacing.last,
            "start": self._start,
            "sent_until": self._sent_until,
            "adopted": sorted(self._adopted),
        }

    # --- what the pipeline adds -------------------------------------------------------------------------

    def due(self, *, alive: bool) -> list[Item]:
        """Ask for a request when the interval has passed and a job lives, or at once when a job began or ended."""
        self._alive = alive
        now = time.monotonic()
        live = self.runs_job
        if self._changed or (live and now >= self._due):
            self._changed = False
            self._due = now + self._interval
            self._batch.urgent = True
            return [Item(_OWN, None, 0)]
        return []

    def due_in_seconds(self) -> float:
        """Return after how long the progress and the heartbeat are sent again."""
        live = self._alive and self.runs_job
        return max(self._due - time.monotonic(), 0.0) if live else inf

    def closing(self, *, killed: bool) -> list[Item]:
        """Send everything once more; of a killed job also what its process could not count."""
        if killed:
            self._undone = {key for key, _step in at_work(self.slots())}
            end = self.time_of_death()
            for span in self.open.all():
                if is_step(span):
                    step = {
                        semconv.STEP_NAME: span.attributes.get(semconv.STEP_NAME),
                        semconv.STEP_RESULT: semconv.RESULT_ERROR,
                    }
                    shared = _shared(self.jobs.of(span))
                    seconds = _seconds(span.start, end)
                    made = Exemplar(end, seconds, span.trace_id + span.span_id)
                    self._measure(semconv.STEP_DURATION, span.scope, {**shared, **step}, seconds, made)
            for job in self.jobs.own():
                self._count_down(job.scope, job.attributes)
                attributes = {**_shared(job), semconv.JOB_RESULT: semconv.RESULT_ERROR}
                seconds = _seconds(job.start, end)
                root = Exemplar(end, seconds, job.span[:24]) if job.span else None
                self._measure(semconv.JOB_DURATION, job.scope, attributes, seconds, root)
                cause = {semconv.ERROR_TYPE: self.death().error_type}
                self._measure(semconv.JOB_CRASHES, job.scope, {**job.attributes, **cause}, 1)
        return [Item(_OWN, None, 0)]

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

    # --- requests -----------------------------------------------------------------------------------

    def encode(self, items: list[Item]) -> bytes:
        """Return a request: the samples, each series' points together, and the latest of everything else."""
        ready: list[bytes] = []
        series: dict[int, tuple[Series, list[tuple[int, float]]]] = {}
        latest: list[tuple[int, bytes]] = []
        for item in items:
            if item.scope == _OWN:
                # Only here, so that what the server calls invalid can be found by halving the request.
                latest = latest or [*self._latest(), *self._account_of_own(items)]
            elif isinstance(item.record, bytes):
                ready.append(item.record)
            elif isinstance(item.record, _Sample):
                sample = item.record
                series.setdefault(sample.series.id, (sample.series, []))[1].append((sample.time, sample.value))
        records = [
            (one.scope, metric("gauge", one.name, one.unit, one.description, [gauge_points(one.attributes, points)]))
            for one, points in series.values()
        ]
        return self.join(records + latest, ready)

    def handed_over(self) -> None:
        """Change no sample any more."""
        self._newest.clear()

    def committed(self) -> None:
        """Stop the series of jobs whose end has now been sent."""
        self._newest.clear()
        for job in self._jobs.values():
            job.told = job.ended

    def _latest(self) -> list[tuple[int, bytes]]:
        scope = next((scope.id for scope in self.scopes.values() if scope.name == semconv.SCOPE_NAME), 0)
        clock = time.time_ns()
        last = self.time_of_death()
        now = clock if self._alive else min(last, clock)
        # Never behind what was sent before: a backend keeps the value that is latest by its time. Unless the clock
        # was set back since: a backend refuses what comes from a future that is over.
        if self._sent_until <= clock + _SECOND:
            now = max(now, self._sent_until + _MILLISECOND)
        self._sent_until = now
        start = self._start or now
        found = [(scope, one.encode(min(start, now), now)) for one in self._sums.all()]
        for slot in self.slots():
            job = self._jobs.get(slot.job)
            if job is not None and not job.told:
                undone = slot.job in self._undone
                found += [(job.scope, one) for one in _slot_metrics(slot, job.attributes, start, now, undone=undone)]
        for job in self._jobs.values():
            if not job.told:
                found += [(job.scope, encoded) for encoded in self._job_metrics(job, start, now, last)]
                found += [(job.scope, encoded) for encoded in self._used(job)]
        return found + self._running_steps(now)

    def _account_of_own(self, items: list[Item]) -> list[tuple[int, bytes]]:
        """Return what is to be told of the delivery, as it stands when a request with these items is accepted."""
        if self._own is None:
            return []
        cursor, batch = self.cursor, self._batch
        delivered = cursor.delivered + batch.delivered + sum(item.count for item in items)
        dropped = Counter(cursor.dropped) + Counter(batch.dropped)
        now = self._sent_until
        told = self._own.points(cursor, delivered, dropped)
        return [(OWN_SCOPE.id, point.encode(min(self._start or now, now), now)) for point in told]

    def step(self, send: Send, *, ended: bool) -> bool:
        """Take a step, as every pipeline; who sends also says by what."""
        if self._own is not None:
            self._own.exporter = send.exporter
        return super().step(send, ended=ended)

    def hurry(self) -> None:
        """Send what has been read at the next step."""
        if self._own is not None:
            self._own.waits_for_nobody()
        super().hurry()

    def _is_due(self, batch: Batch) -> bool:
        if batch.final and self._own is not None and self._own.waits_for_others():
            return False
        return super()._is_due(batch)

    def _job_metrics(self, job: _Job, start: int, now: int, last: int) -> list[bytes]:
        merged = self.cursor.dropped.get(MERGED, 0) + self._batch.dropped.get(MERGED, 0)
        found = [_point(semconv.JOB_METRIC_MERGED, job.attributes, start, now, merged)] if merged else []
        if self._alive and not job.ended:
            found.append(_point(semconv.JOB_ACTIVITY_TIME, job.attributes, start, now, last / 1e9))
            if job.own:
                found.append(_point(semconv.JOB_HEARTBEAT_TIME, job.attributes, start, now, now / 1e9))
        return found

    def _used(self, job: _Job) -> list[bytes]:
        usage = self.usage
        if usage is None or usage.latest is None or usage.source is None or usage.is_covered:
            return []
        return usage_points(usage.source, usage.latest, job.attributes)

    def _running_steps(self, now: int) -> list[tuple[int, bytes]]:
        found = []
        for span in self.open.all() if self._alive else ():
            job = self.jobs.of(span) if is_step(span) else None
            if job is not None:
                attributes = {**job.attributes, semconv.STEP_NAME: span.attributes.get(semconv.STEP_NAME)}
                point = _point(semconv.STEP_ELAPSED, attributes, span.start, now, _seconds(span.start, now))
                found.append((span.scope, point))
        return found


def _shared(job: frames.Job | None) -> dict[str, Any]:
    """Return the attributes of a duration: of one kind of job, not of one run."""
    own = {semconv.JOB_ID, semconv.WORKER_ID}
    return {key: value for key, value in job.attributes.items() if key not in own} if job else {}


def _seconds(start: int, end: int) -> float:
    return max(end - start, 0) / 1e9


def _slot_metrics(slot: SlotValue, job: dict[str, Any], start: int, now: int, *, undone: bool) -> list[bytes]:
    """Return the points of a slot; of what is ``undone``, and is done again by another, there is nothing to add up."""
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
    if what.instrument == "gauge":
        point = gauge_points(attributes, [(now, value)])
    else:
        point = sum_point(attributes, min(start, now), now, value)
    return metric(what.instrument, what.name, what.unit, what.description, [point])


__all__ = ["MERGED", "MetricsPipeline"]
