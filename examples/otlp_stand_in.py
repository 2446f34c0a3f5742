"""The least that can stand in for a Collector: takes OTLP over HTTP and remembers what has arrived."""

from __future__ import annotations

import gzip
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, Self

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class StandIn:
    """Receives on a free port of this machine while the ``with`` block lasts."""

    def __init__(self) -> None:
        self.logs: dict[str, Any] = {}
        """Log records by ``log.record.uid``: one that is sent twice counts once."""
        self.spans: dict[bytes, Any] = {}
        self.points: set[tuple[Any, ...]] = set()
        """Series, time and value of the plugin's own metrics."""
        self._lock = Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"stand_in": self}))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, path: str, body: bytes) -> None:
        """Remember what a request holds."""
        with self._lock:
            if path == "/v1/logs":
                for resource in ExportLogsServiceRequest.FromString(body).resource_logs:
                    for record in (record for scope in resource.scope_logs for record in scope.log_records):
                        self.logs[_text(record.attributes, "log.record.uid")] = record
            elif path == "/v1/traces":
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    self.spans |= {span.span_id: span for scope in resource.scope_spans for span in scope.spans}
            elif path == "/v1/metrics":
                for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                    for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
                        self._take_metric(metric)

    def _take_metric(self, metric: Any) -> None:
        if metric.name == "synapse.job.metric":
            for point in metric.gauge.data_points:
                series = tuple(_text(point.attributes, key) for key in ("synapse.category", "synapse.metric.name"))
                self.points.add((*series, point.time_unix_nano, point.as_double))


class _Handler(BaseHTTPRequestHandler):
    stand_in: StandIn
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.stand_in.take(self.path, gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep the terminal free for the demo."""


def _text(attributes: Any, key: str) -> str:
    return next((attribute.value.string_value for attribute in attributes if attribute.key == key), "")
