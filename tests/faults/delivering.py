"""Delivering the journal of one real job, again and again, to receivers that answer as a test wants it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from synapse_otel.journal.account import Account, account_of
from synapse_otel.journal.cursor import Cursor, read_cursor
from synapse_otel.journal.folder import read_run
from synapse_otel.otlp.backoff import Backoff
from synapse_otel.otlp.destination import Destination, Endpoint
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper.pipelines import signal_sender
from tests.shipping import shipper_of
from tests.sink import Sink, body

PATHS = {Signal.LOGS: "/v1/logs", Signal.METRICS: "/v1/metrics", Signal.TRACES: "/v1/traces"}


@dataclass
class Delivery:
    """A journal that is being delivered, and what the shipper has said."""

    folder: Path
    said: list[str] = field(default_factory=list)

    def cursor(self, signal: Signal) -> Cursor:
        return read_cursor(self.folder, signal)

    @property
    def cursors(self) -> list[Cursor]:
        return [self.cursor(signal) for signal in Signal]

    @property
    def complete(self) -> bool:
        return all(cursor.complete for cursor in self.cursors)

    def account(self, emitted: int) -> Account:
        return account_of([self.folder], emitted)


def destination_of(url: str, protocol: str, **settings: Any) -> Destination:
    """Return a receiver's address as a destination."""
    ends = {
        signal: Endpoint(
            url=url if protocol == "grpc" else url + path,
            protocol=protocol,  # type: ignore[arg-type]
            **{"timeout_seconds": 5.0, **settings},
        )
        for signal, path in PATHS.items()
    }
    return Destination(logs=ends[Signal.LOGS], metrics=ends[Signal.METRICS], traces=ends[Signal.TRACES])


@contextmanager
def delivering(job: Path, root: Path, destination: Destination) -> Iterator[Delivery]:
    """Deliver a copy of a job's journal below ``root`` until the end of the block; waits after failures are short."""
    folder = root / job.name
    shutil.copytree(job, folder)
    run = read_run(folder)
    assert run is not None
    delivery = Delivery(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signal_sender, "Backoff", partial(Backoff, first_seconds=0.1))
        shipper = shipper_of([root], destination, run.destination, interval_seconds=0.5, say=delivery.said.append)
    thread = Thread(target=shipper.run, kwargs={"idle_seconds": None})
    thread.start()
    try:
        yield delivery
    finally:
        shipper.stop_soon()
        thread.join()


def bodies(sink: Sink) -> list[Any]:
    """Return the bodies of the log records that were accepted."""
    return [body(record) for record in sink.logs()]
