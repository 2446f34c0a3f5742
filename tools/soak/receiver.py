"""An OTLP/HTTP receiver on loopback that accepts everything, and keeps it by job."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Final, Self

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tools.receiving import Receiving

_REQUESTS: Final[dict[str, Any]] = {
    "/v1/logs": ExportLogsServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
    "/v1/traces": ExportTraceServiceRequest,
}
JOB_ID = "synapse.job.id"


@dataclass
class Arrived:
    """What arrived of one job, in the order in which it came."""

    logs: list[Any] = field(default_factory=list)
    spans: list[Any] = field(default_factory=list)
    points: list[tuple[str, dict[str, Any], Any]] = field(default_factory=list)
    """Name of the metric, attributes of the point, the point."""

    def last(self, metric: str, **where: Any) -> Any:
        """Return the value of a metric's newest point with these attributes; None if there is none."""
        wanted = {key.replace("_", "."): value for key, value in where.items()}
        found = [
            (point.time_unix_nano, point)
            for name, attributes, point in self.points
            if name == metric and wanted.items() <= attributes.items()
        ]
        return value_of(max(found, key=lambda one: one[0])[1]) if found else None


class Receiver:
    """A receiver; a context manager."""

    def __init__(self) -> None:
        self._jobs: dict[str, Arrived] = defaultdict(Arrived)
        self._lock = threading.Lock()
        self._server = Receiving(self.take)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def take_away(self, job_id: str) -> Arrived:
        """Return what arrived of a job, and forget it."""
        with self._lock:
            return self._jobs.pop(job_id, Arrived())

    def take(self, path: str, body: bytes) -> None:
        """Keep what a request holds."""
        request: Any = _REQUESTS[path].FromString(body)
        with self._lock:
            for resource in getattr(request, f"resource_{path.removeprefix('/v1/').replace('traces', 'spans')}"):
                match path:
                    case "/v1/logs":
                        for record in (one for scope in resource.scope_logs for one in scope.log_records):
                            self._of(record).logs.append(record)
                    case "/v1/traces":
                        for span in (one for scope in resource.scope_spans for one in scope.spans):
                            self._of(span).spans.append(span)
                    case _:
                        for metric in (one for scope in resource.scope_metrics for one in scope.metrics):
                            for point in getattr(metric, metric.WhichOneof("data")).data_points:
                                self._of(point).points.append((metric.name, attributes_of(point), point))

    def _of(self, holder: Any) -> Arrived:
        return self._jobs[str(attributes_of(holder).get(JOB_ID, ""))]


def attributes_of(holder: Any) -> dict[str, Any]:
    """Return the attributes of a record, span or point; values that are no scalars are left out."""
    return {
        pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value") for pair in holder.attributes
    }


def value_of(point: Any) -> Any:
    """Return a point's number; a histogram's count."""
    kind = point.WhichOneof("value") if "as_double" in point.DESCRIPTOR.fields_by_name else None
    return getattr(point, kind) if kind else getattr(point, "count", None)
