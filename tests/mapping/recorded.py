"""A scenario through our own providers, the journal and the shipper's pipelines, as the requests that are sent."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from synapse_otel.journal.folder import run_folders
from synapse_otel.otlp.outcome import Accepted
from synapse_otel.shipper.pipelines.base import SignalPipeline
from synapse_otel.shipper.pipelines.logs import LogsPipeline
from synapse_otel.shipper.pipelines.metrics import MetricsPipeline
from synapse_otel.shipper.pipelines.poison_records import Tally
from synapse_otel.shipper.pipelines.traces import TracesPipeline
from synapse_otel.testing import recorded_job
from tests.mapping.otlp import logs_of, metrics_of, spans_of
from tests.mapping.scenarios import SCENARIOS, arguments


class Receiver:
    """Stands where the network begins, and takes everything."""

    exporter = ""

    def __init__(self, request: type[Any]) -> None:
        self._request = request
        self.requests: list[Any] = []

    def tally(self) -> Tally:
        return Tally(len(self.requests), 0)

    def __call__(self, body: bytes, *, suspect: bool = False) -> Accepted:
        self.requests.append(self._request.FromString(body))
        return Accepted()

    def ready(self) -> bool:
        return True

    def quarantine(self, item: Any, body: bytes, reason: str) -> bool:
        raise AssertionError(reason)


def received(pipeline: SignalPipeline, request: type[Any]) -> list[Any]:
    receiver = Receiver(request)
    while not pipeline.cursor.complete:
        pipeline.step(receiver, ended=True)
    pipeline.close()
    assert not pipeline.cursor.dropped
    assert not pipeline.cursor.warnings
    return receiver.requests


def exported(folder: Path) -> dict[str, Any]:
    """Return what the shipper sends of a journal that has ended."""
    return {
        "spans": spans_of(received(TracesPipeline(folder), ExportTraceServiceRequest)),
        "logs": logs_of(received(LogsPipeline(folder), ExportLogsServiceRequest)),
        "metrics": metrics_of(
            received(MetricsPipeline(folder, 1.0, self_telemetry=False), ExportMetricsServiceRequest)
        ),
    }


def run(name: str) -> dict[str, Any]:
    """Return what is sent of a scenario."""
    scenario = SCENARIOS[name]
    with suppress(scenario.raises or ()), recorded_job(**arguments(name), fixed=True) as job:
        try:
            scenario.run(job.ctx)
        except BaseException as error:
            job.end(error)
            raise
        finally:
            job.end()
            job.close()
            (folder,) = run_folders(job.folder)
            found = exported(folder)
    return found
