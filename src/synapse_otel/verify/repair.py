"""Sends again what a backend lacks, and nothing else: as the shipper encodes it, with the same ids and times."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from synapse_otel.otlp.backoff import Backoff
from synapse_otel.otlp.destination import Destination
from synapse_otel.otlp.outcome import Accepted, Retry
from synapse_otel.otlp.senders import Sender, open_sender
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper.pipelines.queue import Item
from synapse_otel.shipper.pipelines.replay import LogsReplay, MetricsReplay, TracesReplay
from synapse_otel.verify.expected import instance_of
from synapse_otel.verify.samples import Key, SeriesSamples
from synapse_otel.verify.verification import Verified

_ITEMS: Final = 2_000
_BYTES: Final = 1 << 20
_PATIENCE_SECONDS: Final = 60.0

Encode = Callable[[list[Item]], bytes]


class RepairError(Exception):
    """The endpoint did not accept a record; the message is one line."""


class Repair:
    """Sends what is missing of a run to its endpoint."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self.sent: dict[str, int] = {}
        """By signal, how many records were accepted."""

    def send(self, verified: Verified) -> None:
        """Send every missing record of a run that has ended and was delivered to its end.

        Samples of a burst that cannot be told apart from merged ones are not sent.

        Raises:
            OSError: a journal cannot be read.
            RepairError: the endpoint refuses a request, or does not accept it for a minute.
        """
        signals = verified.report.signals
        for folder in verified.expected.folders:
            if signals.logs.missing:
                self._send("logs", Signal.LOGS, self._logs(folder, verified))
            if signals.samples.missing or verified.missing_progress:
                self._send("metrics", Signal.METRICS, self._metrics(folder, verified))
            if signals.spans.missing:
                self._send("spans", Signal.TRACES, self._spans(folder, verified))

    def _logs(self, folder: Path, verified: Verified) -> Iterator[tuple[Encode, Item]]:
        missing = {uid for logs in verified.expected.logs for uid, _ in logs.missing()}
        replay = LogsReplay(folder)
        for items in replay.replay(ended=True):
            yield from ((replay.body, item) for item in items if item.uid in missing)

    def _spans(self, folder: Path, verified: Verified) -> Iterator[tuple[Encode, Item]]:
        missing = {span_id for trace in verified.expected.traces.values() for span_id in trace.missing}
        replay = TracesReplay(folder)
        for items in replay.replay(ended=True):
            yield from ((replay.body, item) for item in items if item.uid in missing)

    def _metrics(self, folder: Path, verified: Verified) -> Iterator[tuple[Encode, Item]]:
        expected = verified.expected
        replay = MetricsReplay(folder)
        known: dict[int, SeriesSamples | None] = {}
        for items in replay.replay(ended=True):
            for item in items:
                series = item.record.series
                if series.id not in known:
                    known[series.id] = expected.series.get(Key.of(series, instance_of(replay)))
                samples = known[series.id]
                if samples is not None and samples.is_missing(item.record.time):
                    yield replay.body, item
        for key in verified.missing_progress:
            if key.instance == instance_of(replay):
                last = expected.progress[key]
                yield replay.body, Item(last.scope, last.record)

    def _send(self, name: str, signal: Signal, found: Iterator[tuple[Encode, Item]]) -> None:
        sender = open_sender(self._destination, signal)
        batch: list[Item] = []
        size = 0
        encode: Encode | None = None
        try:
            for encode, item in found:
                batch.append(item)
                size += len(item.record) if isinstance(item.record, bytes) else 0
                if len(batch) >= _ITEMS or size >= _BYTES:
                    self._deliver(sender, name, encode, batch)
                    batch, size = [], 0
            if batch and encode is not None:
                self._deliver(sender, name, encode, batch)
        finally:
            sender.close()

    def _deliver(self, sender: Sender, name: str, encode: Encode, batch: list[Item]) -> None:
        body = encode(batch)
        backoff = Backoff()
        until = time.monotonic() + _PATIENCE_SECONDS
        while not isinstance(outcome := sender.send(body), Accepted):
            if not isinstance(outcome, Retry) or time.monotonic() >= until:
                raise RepairError(f"the endpoint did not accept the missing {name}: {outcome.reason}")
            time.sleep(min(backoff.failed(outcome.after_seconds), _PATIENCE_SECONDS))
        if outcome.rejected:
            raise RepairError(f"the endpoint rejected {outcome.rejected:,} of the missing {name}: {outcome.message}")
        self.sent[name] = self.sent.get(name, 0) + len(batch)
