"""Journals as a file of OTLP in JSON, a request on each line: what the Collector's file exporter writes and reads."""

from __future__ import annotations

import shutil
from base64 import b64decode
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TextIO

import msgspec
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from synapse_otel.journal.cursor import cursor_path
from synapse_otel.journal.files.lock_holder import holder_path
from synapse_otel.journal.folder import ALIVE_LOCK, SHIP_LOCK
from synapse_otel.journal.liveness import is_alive
from synapse_otel.otlp.outcome import Accepted, Outcome
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper.pipelines.base import SignalPipeline
from synapse_otel.shipper.pipelines.logs import LogsPipeline
from synapse_otel.shipper.pipelines.metrics import MetricsPipeline
from synapse_otel.shipper.pipelines.poison_records import Tally
from synapse_otel.shipper.pipelines.traces import TracesPipeline

_REQUESTS: Final[dict[Signal, type[Message]]] = {
    Signal.LOGS: ExportLogsServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
    Signal.TRACES: ExportTraceServiceRequest,
}
_IDS: Final = frozenset({"traceId", "spanId", "parentSpanId"})
"""What OTLP's JSON has in hexadecimal, and protobuf's in base64."""


def write_otlp_file(folders: Iterable[Path], path: Path) -> None:
    """Write all that journals hold, delivered or not, as it would be sent now; the journals stay as they are.

    Raises:
        OSError: a journal cannot be read, or the file cannot be written.
    """
    with path.open("w", encoding="utf-8") as file:
        for folder in folders:
            with TemporaryDirectory(prefix="synapse-otel-") as place:
                _write(_copied(folder, Path(place)), file, lives=is_alive(folder))


class _Writing:
    """A `Send` that writes each request as a line."""

    exporter = "otlp_file"

    def __init__(self, signal: Signal, file: TextIO) -> None:
        self._request = _REQUESTS[signal]
        self._file = file
        self._accepted = 0

    def __call__(self, body: bytes, *, suspect: bool = False) -> Outcome | None:  # noqa: ARG002 - of the protocol
        """Write a request."""
        found = MessageToDict(self._request.FromString(body), use_integers_for_enums=True)
        self._file.write(msgspec.json.encode(_with_ids(found)).decode() + "\n")
        self._accepted += 1
        return Accepted()

    def ready(self) -> bool:
        """Say that there is nothing to wait for."""
        return True

    def hurry(self) -> None:
        """Do nothing: it never waits."""

    def tally(self) -> Tally:
        """Return how many were written."""
        return Tally(self._accepted, 0)

    def quarantine(self, item: Any, body: bytes, reason: str) -> bool:  # noqa: ARG002 - of the protocol
        """Say that nothing is kept aside: every request is accepted."""
        return False


class _Traces(TracesPipeline):
    hold_seconds = 0.0  # of a run that goes on, the file tells which steps are open


def _write(folder: Path, file: TextIO, *, lives: bool) -> None:
    pipelines: list[SignalPipeline] = [
        _Traces(folder),
        MetricsPipeline(folder, 5.0, self_telemetry=False),
        LogsPipeline(folder),
    ]
    for pipeline in pipelines:
        send = _Writing(pipeline.signal, file)
        try:
            pipeline.hurry()
            while pipeline.step(send, ended=not lives):
                pipeline.hurry()
        finally:
            pipeline.close()


def _copied(folder: Path, place: Path) -> Path:
    """Return a copy of a journal as if nothing of it had been delivered: reading it writes cursors."""
    left_out = {cursor_path(folder, signal).name for signal in Signal} | {ALIVE_LOCK, SHIP_LOCK}
    left_out.add(holder_path(folder / SHIP_LOCK).name)
    for path in folder.iterdir():
        if path.is_file() and path.name not in left_out:
            shutil.copyfile(path, place / path.name)
    return place


def _with_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: b64decode(item).hex() if key in _IDS and isinstance(item, str) else _with_ids(item)
            for key, item in value.items()
        }
    return [_with_ids(item) for item in value] if isinstance(value, list) else value
