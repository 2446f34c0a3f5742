"""A journal's records as its pipelines would send them from its beginning: nothing is sent, no cursor is written.

Each pipeline is the shipper's own, so that ids, times and the ends of killed jobs are the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import NamedTuple

from synapse_otel.journal.cursor import Cursor
from synapse_otel.journal.frames import Series
from synapse_otel.otlp.outcome import Accepted, Outcome
from synapse_otel.shipper.pipelines.base import SignalPipeline
from synapse_otel.shipper.pipelines.cursor_file import CursorFile
from synapse_otel.shipper.pipelines.logs import LogsPipeline
from synapse_otel.shipper.pipelines.metrics import MetricsPipeline, Sample
from synapse_otel.shipper.pipelines.poison_records import Tally
from synapse_otel.shipper.pipelines.queue import Item, singly
from synapse_otel.shipper.pipelines.traces import TracesPipeline


class RecordedSample(NamedTuple):
    """A value of a gauge, as the job recorded it."""

    series: Series
    recorded: int
    """Unix time in ns."""
    placed: int | None
    """Unix time in ns at which it is sent; None: it is merged into a newer sample."""
    value: float


class _Taking:
    """A `Send` that accepts everything."""

    exporter = "replay"

    def __call__(self, body: bytes, *, suspect: bool = False) -> Outcome | None:  # noqa: ARG002 - of the protocol
        return Accepted()

    def ready(self) -> bool:
        return True

    def hurry(self) -> None:
        """Do nothing: it never waits."""

    def tally(self) -> Tally:
        return Tally()

    def quarantine(self, item: Item, body: bytes, reason: str) -> bool:  # noqa: ARG002 - of the protocol
        return False


class _NoFile(CursorFile):
    """A cursor that stays in memory."""

    def save(self) -> None:
        """Write nothing."""


class _FromTheBeginning(SignalPipeline):
    """What the replayed pipelines share."""

    def begin(self) -> Cursor:
        """Return a new cursor: everything counts as not sent."""
        self.taken: list[Item] = []
        return Cursor()

    def encode(self, items: list[Item]) -> bytes:
        """Keep the items of a request, one for each record, instead of encoding it."""
        self.taken += singly(items)
        return b""

    def replay(self, *, ended: bool) -> Iterator[list[Item]]:
        """Yield the items of one request after another; ``ended``: the journal's process is gone.

        Raises:
            OSError: the journal cannot be read.
        """
        self.file = _NoFile(self.folder, self.signal, self.cursor)
        send = _Taking()
        try:
            self.hurry()
            while self.step(send, ended=ended):
                self.hurry()
                taken, self.taken = self.taken, []
                yield taken
        finally:
            self.close()


class LogsReplay(_FromTheBeginning, LogsPipeline):
    """The log records of a journal: items that are encoded."""

    def body(self, items: list[Item]) -> bytes:
        """Return the body of a request with these items."""
        return LogsPipeline.encode(self, items)


class TracesReplay(_FromTheBeginning, TracesPipeline):
    """The spans of a journal, items that are encoded; start markers only where there are more than can be held back."""

    hold_seconds = inf

    def body(self, items: list[Item]) -> bytes:
        """Return the body of a request with these items."""
        return TracesPipeline.encode(self, items)


class MetricsReplay(_FromTheBeginning, MetricsPipeline):
    """The samples of a journal, and the points that show the last progress of its jobs."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, inf, self_telemetry=False)
        self.recorded: list[RecordedSample] = []
        """The samples that were read since the caller last cleared the list."""
        self.latest: list[tuple[int, bytes]] = []
        """The points of the last request that shows the state of a job: each with its scope, an encoded ``Metric``."""

    def _sample(self, series: Series, recorded: int, value: float) -> list[Item]:
        items = super()._sample(series, recorded, value)
        placed = items[0].record.time if items else None
        self.recorded.append(RecordedSample(series, recorded, placed, value))
        return items

    def encode(self, items: list[Item]) -> bytes:
        """Keep the samples, and what the pipeline adds on its own."""
        if any(self.is_own(item) for item in items):
            self.latest = self._latest()
        return super().encode([item for item in items if isinstance(item.record, Sample)])

    def body(self, items: list[Item]) -> bytes:
        """Return the body of a request with these samples, or with points of `latest` as items of their scopes."""
        samples = [item for item in items if isinstance(item.record, Sample)]
        body = MetricsPipeline.encode(self, samples) if samples else b""
        ready = [(item.scope, item.field()) for item in items if isinstance(item.record, bytes)]
        return body + (self.definitions.request(ready) if ready else b"")
