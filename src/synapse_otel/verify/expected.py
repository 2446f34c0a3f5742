"""What a run recorded, read from its journals: what its backends should hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from synapse_otel import semconv
from synapse_otel.journal.account import cursors_of
from synapse_otel.journal.folder import read_run
from synapse_otel.journal.liveness import is_alive
from synapse_otel.semconv.prometheus import series
from synapse_otel.semconv.readings import PROGRESS
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper.pipelines.metrics import MERGED
from synapse_otel.shipper.pipelines.replay import LogsReplay, MetricsReplay, TracesReplay
from synapse_otel.verify.logs import JournalLogs, LogSeen
from synapse_otel.verify.samples import Key, SeriesSamples, labels
from synapse_otel.verify.spans import TraceSpans, is_marker

_PROGRESS: Final = {metric.name: metric for metric in PROGRESS}


class Last(NamedTuple):
    """The last value of a series that shows a job's progress."""

    time: int
    """Unix time in ns at which it would be sent now."""
    value: float
    scope: int
    record: bytes
    """The encoded ``Metric``."""


@dataclass(kw_only=True)
class Expected:
    """What the backends should hold of a run's journals."""

    folders: list[Path]
    resource: dict[str, Any] = field(default_factory=dict)
    logs: list[JournalLogs] = field(default_factory=list)
    """By journal."""
    series: dict[Key, SeriesSamples] = field(default_factory=dict)
    progress: dict[Key, Last] = field(default_factory=dict)
    traces: dict[str, TraceSpans] = field(default_factory=dict)
    """By trace id in hexadecimal digits."""
    merged: int = 0
    """Samples that the shipper merged into newer ones."""
    gone: dict[Signal, int] = field(default_factory=dict)
    """By signal, records that are no longer in the journals, or damaged there."""
    pending: dict[Signal, int] = field(default_factory=dict)
    """By signal, records that the shipper has not delivered yet."""
    dropped: dict[str, int] = field(default_factory=dict)
    """By reason, records that the shipper gave up, for example into quarantine."""
    settled: bool = True
    """The shipper has come to the end of every journal."""
    begun: float = 0.0
    """Unix time in seconds at which the run began."""
    alive: bool = False
    """A process of the run is running."""

    @classmethod
    def read(cls, folders: list[Path]) -> Expected:
        """Read the journals of a run.

        Raises:
            OSError: a journal cannot be read.
        """
        made = cls(folders=folders)
        for folder in folders:
            made._read(folder)
        for samples in made.series.values():
            samples.settle()
        return made

    def _read(self, folder: Path) -> None:
        run = read_run(folder)
        if run is None:
            raise FileNotFoundError(f"{folder} is not the folder of a run")
        self.begun = min(self.begun or run.created, run.created)
        alive = is_alive(folder)
        self.alive = self.alive or alive
        cursors = cursors_of(folder)
        pipelines = {
            Signal.LOGS: self._read_logs(folder, run.journal, ended=not alive),
            Signal.METRICS: self._read_metrics(folder, ended=not alive),
            Signal.TRACES: self._read_traces(folder, ended=not alive),
        }
        for signal, replayed in pipelines.items():
            cursor = cursors[signal]
            deleted = max(cursor.sequence - replayed.cursor.sequence, 0)  # with all segments after them
            self.gone[signal] = self.gone.get(signal, 0) + _gone(replayed.cursor.dropped) + deleted
            self.settled = self.settled and cursor.complete
            waiting = 0 if cursor.complete else max(replayed.cursor.sequence - cursor.sequence, 0)
            self.pending[signal] = self.pending.get(signal, 0) + waiting
            lost = Counter(cursor.dropped)
            self.merged += lost.pop(MERGED, 0)
            self.dropped = dict(Counter(self.dropped) + lost)
        segment = pipelines[Signal.LOGS].definitions.segment
        self.resource = self.resource or (segment.resource if segment else {})

    def _read_logs(self, folder: Path, journal: str, *, ended: bool) -> LogsReplay:
        replay = LogsReplay(folder)
        found = JournalLogs(journal)
        for items in replay.replay(ended=ended):
            for item in items:
                found.add(item.uid, LogSeen.of(item.record))
        self.logs.append(found)
        return replay

    def _read_metrics(self, folder: Path, *, ended: bool) -> MetricsReplay:
        replay = MetricsReplay(folder)
        by_number: dict[int, SeriesSamples] = {}
        for _items in replay.replay(ended=ended):
            instance = instance_of(replay)
            for sample in replay.recorded:
                samples = by_number.get(sample.series.id)
                if samples is None:
                    key = Key.of(sample.series, instance)
                    samples = by_number[sample.series.id] = self.series.setdefault(key, SeriesSamples(key))
                samples.add(sample)
            replay.recorded.clear()
            for scope, record in replay.latest:
                self._take_progress(scope, record, instance)
            replay.latest.clear()
        return replay

    def _take_progress(self, scope: int, record: bytes, instance: str) -> None:
        made = Metric.FromString(record)
        known = _PROGRESS.get(made.name)
        if known is None:
            return
        points = made.gauge.data_points if made.HasField("gauge") else made.sum.data_points
        for point in points:
            own = labels({one.key: _text(one) for one in point.attributes})
            value = float(point.as_int) if point.HasField("as_int") else point.as_double
            self.progress[Key(series(known)[0], instance, own)] = Last(point.time_unix_nano, value, scope, record)

    def _read_traces(self, folder: Path, *, ended: bool) -> TracesReplay:
        replay = TracesReplay(folder)
        for items in replay.replay(ended=ended):
            for item in items:
                span = Span.FromString(item.record)
                if not is_marker(span):
                    trace_id = span.trace_id.hex()
                    self.traces.setdefault(trace_id, TraceSpans(trace_id)).add(span)
        return replay


def _gone(dropped: dict[str, int]) -> int:
    return sum(count for reason, count in dropped.items() if reason != MERGED)


def instance_of(replay: MetricsReplay) -> str:
    """Return the `service.instance.id` of a journal, once its beginning was read."""
    segment = replay.definitions.segment
    return str(segment.resource.get(semconv.SERVICE_INSTANCE_ID, "")) if segment else ""


def _text(attribute: KeyValue) -> str:
    return str(attribute.value.string_value)


__all__ = ["Expected", "Last", "instance_of"]
