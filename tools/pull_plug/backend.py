"""What counts behind the gateway: OTLP over HTTP for metrics, over gRPC for traces; may go away and return.

Keeps, by job, what arrived of what `tools.pull_plug.job` has recorded. Its log records are in a real log store.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Self

import grpc  # type: ignore[import-untyped]
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from synapse_otel.semconv import JOB_ID, JOB_METRIC, METRIC_NAME
from tools.pull_plug.job import SAMPLE
from tools.receiving import Receiving


@dataclass
class Arrived:
    """What arrived of one job."""

    samples: Counter[float] = field(default_factory=Counter)
    spans: dict[bytes, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    """By span id: the contents that came under it."""
    span_names: dict[str, bytes] = field(default_factory=dict)


class Backend:
    """Both in one; a context manager that begins open."""

    def __init__(self) -> None:
        """Take two ports for good."""
        self.jobs: dict[str, Arrived] = defaultdict(Arrived)
        self.lock = threading.Lock()
        self.requests = 0
        self._http: Receiving | None = None
        self._grpc: grpc.Server | None = None
        self._ports = (0, 0)

    @property
    def url(self) -> str:
        """Where metrics are taken."""
        return f"http://127.0.0.1:{self._ports[0]}"

    @property
    def address(self) -> str:
        """Where traces are taken."""
        return f"127.0.0.1:{self._ports[1]}"

    def __enter__(self) -> Self:
        """Open."""
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        """Go away for good."""
        self.close()

    def open(self) -> None:
        """Listen, on the same ports each time."""
        http, port = self._ports
        self._http = Receiving(lambda path, body: self.take(path.rpartition("/")[2], body), http)
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}).start()
        self._grpc = grpc.server(ThreadPoolExecutor(4), (_Traces(self),), options=_OPTIONS)
        self._ports = (self._http.port, self._grpc.add_insecure_port(f"127.0.0.1:{port}"))
        self._grpc.start()

    def close(self) -> None:
        """Go away: nobody listens, connections break, answers under way are not given."""
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()
            self._http.break_connections()
        if self._grpc is not None:
            self._grpc.stop(0).wait()
        self._http = self._grpc = None

    def take(self, kind: str, body: bytes) -> None:
        """Keep what a request holds."""
        with self.lock:
            self.requests += 1
            match kind:
                case "metrics":
                    self._take_metrics(ExportMetricsServiceRequest.FromString(body))
                case _:
                    self._take_traces(ExportTraceServiceRequest.FromString(body))

    def _take_metrics(self, request: Any) -> None:
        for metric in _records(request, "resource_metrics", "scope_metrics", "metrics"):
            if metric.name != JOB_METRIC.name:
                continue
            for point in metric.gauge.data_points:
                found = {pair.key: pair.value.string_value for pair in point.attributes}
                if found.get(METRIC_NAME) == SAMPLE:
                    self.jobs[found[JOB_ID]].samples[point.as_double] += 1

    def _take_traces(self, request: Any) -> None:
        for span in _records(request, "resource_spans", "scope_spans", "spans"):
            found = {pair.key: pair.value.string_value for pair in span.attributes}
            job = self.jobs[found.get(JOB_ID, "")]
            job.spans[span.span_id].add(span.SerializeToString(deterministic=True))
            job.span_names[span.name] = span.span_id


_OPTIONS = (("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", -1))


def _records(request: Any, resources: str, scopes: str, records: str) -> Iterator[Any]:
    for resource in getattr(request, resources):
        for scope in getattr(resource, scopes):
            yield from getattr(scope, records)


class _Traces(grpc.GenericRpcHandler):  # type: ignore[misc]
    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def service(self, _handler_call_details: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(lambda body, _: self._take(body))

    def _take(self, body: bytes) -> bytes:
        self._backend.take("traces", body)
        return b""
