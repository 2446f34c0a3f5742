"""An OTLP/HTTP receiver that keeps what it accepted, and gives the answers it is told to give.

Answers are made by a function of the request; without one, everything is accepted::

    with Sink() as sink:
        sink.answer = lambda request: Answer(503) if len(sink.requests) < 3 else ACCEPT
        ...
        assert [record.body.string_value for record in sink.logs()] == ["hello"]
"""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Event, Thread
from typing import Any, ClassVar, NamedTuple, Self

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

REQUESTS = {
    "/v1/logs": ExportLogsServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
    "/v1/traces": ExportTraceServiceRequest,
}


@dataclass(frozen=True)
class Answer:
    """What a request is answered; `accepts` says whether its content counts as arrived."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    never: bool = False
    """No answer at all, until the sink closes."""

    @property
    def accepts(self) -> bool:
        return self.status == 200 and not self.never


ACCEPT = Answer()
HANG = Answer(never=True)


def partial(path: str, rejected: int, message: str = "") -> Answer:
    """Accept a request but for some of its records."""
    if path == "/v1/logs":
        response: Any = ExportLogsServiceResponse()
        response.partial_success.rejected_log_records = rejected
    elif path == "/v1/metrics":
        response = ExportMetricsServiceResponse()
        response.partial_success.rejected_data_points = rejected
    else:
        response = ExportTraceServiceResponse()
        response.partial_success.rejected_spans = rejected
    response.partial_success.error_message = message
    return Answer(200, response.SerializeToString(), {"Content-Type": "application/x-protobuf"})


@dataclass
class Request:
    """A request that came in."""

    path: str
    headers: Mapping[str, str]
    size: int
    message: Any
    time: float
    """Monotonic."""
    sender: int = 0
    """Port of the connection's other end."""
    answer: Answer = ACCEPT


class Point(NamedTuple):
    """A data point that arrived."""

    name: str
    attributes: dict[str, Any]
    time: int
    start: int
    value: Any
    """A number, or a histogram's (count, sum)."""
    resource: dict[str, Any]


class Sink:
    """A receiver on loopback. Use it as a context manager."""

    def __init__(self, answer: Callable[[Request], Answer] | None = None, port: int = 0) -> None:
        self.answer = answer or (lambda _request: ACCEPT)
        self.requests: list[Request] = []
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.sink = self
        self._changed = Condition()
        self.over = Event()
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def take(self, path: str, headers: Mapping[str, str], body: bytes, sender: int = 0) -> Answer:
        """Decide about a request, keep it, and wake who waits."""
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        request = Request(path, headers, len(body), REQUESTS[path].FromString(body), time.monotonic(), sender)
        with self._changed:
            request.answer = self.answer(request)
            self.requests.append(request)
            self._changed.notify_all()
        return request.answer

    def wait(self, true: Callable[[], Any], within: float = 30.0) -> Any:
        """Wait until `true()` is, looked at whenever a request came in."""
        deadline = time.monotonic() + within
        with self._changed:
            while not (result := true()):
                left = deadline - time.monotonic()
                assert left > 0, f"not so within {within:g} s; {len(self.requests)} requests came"
                self._changed.wait(min(left, 0.05))
        return result

    # --- what arrived -------------------------------------------------------------------------------

    def accepted(self, path: str) -> list[Request]:
        return [request for request in list(self.requests) if request.path == path and request.answer.accepts]

    def logs(self) -> list[Any]:
        """Return the log records, in the order in which they came."""
        return [
            record
            for request in self.accepted("/v1/logs")
            for resource in request.message.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]

    def spans(self, *, markers: bool = False) -> list[Any]:
        """Return the spans, those that mark a beginning only if asked for."""
        found = [
            span
            for request in self.accepted("/v1/traces")
            for resource in request.message.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        return [span for span in found if markers or "synapse.span.marker" not in attributes(span)]

    def points(self, name: str | None = None) -> list[Point]:
        """Return the data points, of one metric or of all."""
        return list(self._points(name))

    def _points(self, name: str | None) -> Iterator[Point]:
        for request in self.accepted("/v1/metrics"):
            for resource in request.message.resource_metrics:
                of = attributes(resource.resource)
                for scope in resource.scope_metrics:
                    for metric in scope.metrics:
                        if name not in {None, metric.name}:
                            continue
                        kind = metric.WhichOneof("data")
                        for point in getattr(metric, kind).data_points:
                            number = point.WhichOneof("value") if kind != "histogram" else None
                            value = getattr(point, number) if number else (point.count, point.sum)
                            yield Point(
                                metric.name,
                                attributes(point),
                                point.time_unix_nano,
                                point.start_time_unix_nano,
                                value,
                                of,
                            )

    def last(self, name: str, **where: Any) -> Any:
        """Return the value of a metric that is latest by its own time; None if there is none."""
        wanted = {key.replace("_", "."): value for key, value in where.items()}
        found = [point for point in self.points(name) if wanted.items() <= point.attributes.items()]
        return max(found, key=lambda point: point.time).value if found else None


def attributes(holder: Any) -> dict[str, Any]:
    """Return the attributes of a record, point, span or resource."""
    return {pair.key: _value(pair.value) for pair in holder.attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: _value(pair.value) for pair in value.kvlist_value.values}
    return getattr(value, kind) if kind else None


def body(record: Any) -> Any:
    """Return a log record's body."""
    return _value(record.body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    sink: Sink

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients are killed here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    error_content_type: ClassVar = "text/plain"  # type: ignore[misc]

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {key.lower(): value for key, value in self.headers.items()}
        answer = self.server.sink.take(self.path, headers, content, self.client_address[1])
        if answer.never:
            self.server.sink.over.wait()
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        """Say nothing."""
