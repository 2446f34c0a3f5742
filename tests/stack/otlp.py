"""Hand-made OTLP requests, so that these tests depend on the servers and on nothing of ours."""

from __future__ import annotations

import secrets
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs, SeverityNumber
from opentelemetry.proto.metrics.v1.metrics_pb2 import Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

SIGNALS = {
    ExportTraceServiceRequest: "traces",
    ExportMetricsServiceRequest: "metrics",
    ExportLogsServiceRequest: "logs",
}


def new_service() -> str:
    """Return a service name that no other test uses."""
    return f"plugin-{secrets.token_hex(6)}"


def send(base: str, request: Message) -> None:
    """Post a request to an OTLP/HTTP endpoint; raises HTTPError unless it is accepted."""
    url = f"{base}/v1/{SIGNALS[type(request)]}"
    headers = {"Content-Type": "application/x-protobuf"}
    post = urllib.request.Request(url, request.SerializeToString(), headers)
    try:
        with urllib.request.urlopen(post, timeout=10) as answer:
            assert answer.status == 200
    except urllib.error.HTTPError as error:
        error.close()
        raise


def attributes(values: Mapping[str, str]) -> list[KeyValue]:
    """Return text attributes in OTLP's form."""
    return [KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in values.items()]


def resource(service: str) -> Resource:
    """Return a resource with this service name."""
    return Resource(attributes=attributes({"service.name": service, "service.namespace": "synapse"}))


def traces(service: str, spans: Sequence[Span]) -> ExportTraceServiceRequest:
    """Wrap spans into a request."""
    scope = ScopeSpans(spans=spans)
    return ExportTraceServiceRequest(resource_spans=[ResourceSpans(resource=resource(service), scope_spans=[scope])])


def logs(service: str, records: Sequence[LogRecord]) -> ExportLogsServiceRequest:
    """Wrap log records into a request."""
    scope = ScopeLogs(log_records=records)
    return ExportLogsServiceRequest(resource_logs=[ResourceLogs(resource=resource(service), scope_logs=[scope])])


def metrics(service: str, instruments: Sequence[Metric]) -> ExportMetricsServiceRequest:
    """Wrap metrics into a request."""
    scope = ScopeMetrics(metrics=instruments)
    wrapped = ResourceMetrics(resource=resource(service), scope_metrics=[scope])
    return ExportMetricsServiceRequest(resource_metrics=[wrapped])


def gauge(name: str, unit: str, points: Sequence[tuple[int, float]], job: str) -> Metric:
    """Return a gauge with points of (Unix milliseconds, value)."""
    data = [
        NumberDataPoint(time_unix_nano=ms * 1_000_000, as_double=value, attributes=attributes({"synapse.job.id": job}))
        for ms, value in points
    ]
    return Metric(name=name, unit=unit, gauge=Gauge(data_points=data))


def record(time_ns: int, body: str, event_name: str = "") -> LogRecord:
    """Return a log record."""
    return LogRecord(
        time_unix_nano=time_ns,
        observed_time_unix_nano=time_ns,
        severity_number=SeverityNumber.SEVERITY_NUMBER_INFO,
        severity_text="INFO",
        body=AnyValue(string_value=body),
        event_name=event_name,
    )
