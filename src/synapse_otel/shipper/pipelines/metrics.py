"""The pipeline of metrics: samples as points of their own, measurements summed up, progress from the state block."""

from __future__ import annotations

import time
from collections import Counter
from math import inf
from pathlib import Path
from typing import Any, Final

import msgspec

from synapse_otel import semconv
from synapse_otel.journal.frames import End, Job, Samples, Segment, Series
from synapse_otel.journal.reader import Frame
from synapse_otel.journal.summary import MetricSummaries, MetricSummary
from synapse_otel.otlp.encode.metrics import Exemplar, gauge_points, metric
from synapse_otel.otlp.encode.request import record_field
from synapse_otel.redaction import redact_values
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper.pipelines.base import SignalPipeline
from synapse_otel.shipper.pipelines.job_metrics import JobMetrics, Times
from synapse_otel.shipper.pipelines.outbox import Send
from synapse_otel.shipper.pipelines.queue import Batch, Item
from synapse_otel.shipper.pipelines.sample_spacing import Spacing
from synapse_otel.shipper.pipelines.sums import Sums
from synapse_otel.shipper.self_telemetry import OWN_SCOPE, OwnAccount
from synapse_otel.shipper.usage.following import JournalUsage


class Sample(msgspec.Struct):
    """One value of one series, as an item holds it until its request is encoded."""

    series: Series
    time: int
    value: float


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
        self._changed = False
        self._alive = True
        self._newest: dict[str, Sample] = {}
        self._keys: dict[int, str] = {}
        self._start = 0
        super().__init__(folder)
        self.definitions.scopes[OWN_SCOPE.id] = OWN_SCOPE

    # --- what the journal holds ---------------------------------------------------------------------

    def _take(self, batch: Batch, frame: Frame) -> None:
        super()._take(batch, frame)
        if self._own is not None:
            self._own.count(frame)

    def define(self, structure: Any) -> None:
        """Take a series, or a job that begins or ends; take note of when sums begin."""
        if isinstance(structure, Series):
            if structure.instrument in _INSTRUMENTS:
                structure.attributes = redact_values(structure.attributes)
                self._series[structure.id] = structure
        elif isinstance(structure, Segment):
            self._start = self._start or structure.created
            if self._own is not None:
                self._own.begin(structure)
        elif isinstance(structure, Job):
            structure.attributes = redact_values(structure.attributes)
            if self._jobs.take(structure, replayed=self.replaying):
                self._changed = True
                if self.usage is not None:
                    self.usage.refresh()  # the last that is told of it
        elif isinstance(structure, End) and structure.continued:
            self._jobs.leave()
            self._changed = True

    def take(self, frame: Frame, structure: Samples | None) -> list[Item]:
        """Turn samples into items; measurements of counters and histograms go into their sums."""
        if structure is None:
            return [Item(_READY, frame.payload, frame.count, self.definitions.uid(frame.sequence))]
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
        return items

    def _sample(self, series: Series, recorded: int, value: float) -> list[Item]:
        self._values.add(series, recorded, value)
        key = self._keys.get(series.id)
        if key is None:
            key = self._keys[series.id] = f"{series.name} {sorted(series.attributes.items())!r}"
        newest = self._newest.get(key)
        placed = self._spacing.place(key, recorded, first=newest is None)
        if placed is None:
            self._batch.drop(MERGED, 1)
            if newest is not None:
                newest.value = value
            return []
        sample = self._newest[key] = Sample(series, placed, value)
        return [Item(series.scope, sample)]

    @staticmethod
    def is_own(item: Item) -> bool:
        """Return whether an item stands for all that the pipeline adds on its own."""
        return item.scope == _OWN

    @property
    def runs_job(self) -> bool:
        """Whether a job runs, as far as the journal was read; asked from another thread, too."""
        return self._jobs.running

    @property
    def values(self) -> list[MetricSummary]:
        """The last value, minimum and maximum of each of the plugin's metrics, as far as the journal was read."""
        return self._values.all()

    # --- what the pipeline keeps ------------------------------------------------------------------------

    def restore(self, state: dict[str, Any]) -> None:
        """Take up sums and last times."""
        self._sums = Sums(state.get("sums"))
        self._spacing = Spacing(state.get("last"))
        self._start = int(state.get("start", 0))
        self._sent_until = int(state.get("sent_until", 0))
        self._values = MetricSummaries(state.get("values", ()))
        self._jobs = JobMetrics(self.definitions, self._sums, state.get("adopted", ()))

    def state(self) -> dict[str, Any]:
        """Return sums and last times."""
        return {
            "sums": self._sums.kept(),
            "last": self._spacing.last,
            "start": self._start,
            "sent_until": self._sent_until,
            "values": self._values.kept(),
            "adopted": sorted(self._jobs.adopted),
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
            self._jobs.kill()
        return [Item(_OWN, None, 0)]

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
            elif isinstance(item.record, Sample):
                sample = item.record
                series.setdefault(sample.series.id, (sample.series, []))[1].append((sample.time, sample.value))
        records = [
            (one.scope, metric("gauge", one.name, one.unit, one.description, [gauge_points(one.attributes, points)]))
            for one, points in series.values()
        ]
        fields = [(scope, record_field(record)) for scope, record in records + latest]
        return self.definitions.request(fields, ready)

    def handed_over(self) -> None:
        """Change no sample any more."""
        self._newest.clear()

    def committed(self) -> None:
        """Stop the series of jobs whose end has now been sent."""
        self._newest.clear()
        self._jobs.committed()

    def _latest(self) -> list[tuple[int, bytes]]:
        scope = next((scope.id for scope in self.definitions.scopes.values() if scope.name == semconv.SCOPE_NAME), 0)
        clock = time.time_ns()
        last = self.definitions.time_of_death()
        now = clock if self._alive else min(last, clock)
        # Never behind what was sent before: a backend keeps the value that is latest by its time. Unless the clock
        # was set back since: a backend refuses what comes from a future that is over.
        if self._sent_until <= clock + _SECOND:
            now = max(now, self._sent_until + _MILLISECOND)
        self._sent_until = now
        start = self._start or now
        merged = self.cursor.dropped.get(MERGED, 0) + self._batch.dropped.get(MERGED, 0)
        sums = [(scope, one.encode(min(start, now), now)) for one in self._sums.all()]
        return sums + self._jobs.points(Times(start, now, last, self._alive), merged, self.usage)

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


__all__ = ["MERGED", "MetricsPipeline", "Sample"]
