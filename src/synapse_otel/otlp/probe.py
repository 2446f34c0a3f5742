"""A probe of an endpoint: one log record, one metric point or one span, marked as such; and the server's clock."""

from __future__ import annotations

import os
import secrets
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from time import time_ns
from typing import Final

import urllib3
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs, SeverityNumber
from opentelemetry.proto.metrics.v1.metrics_pb2 import Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from synapse_otel import semconv
from synapse_otel._version import __version__
from synapse_otel.otlp.destination import Endpoint
from synapse_otel.otlp.http_pool import open_pool
from synapse_otel.semconv.signal import Signal

SERVICE: Final = "synapse-otel-doctor"
"""The ``service.name`` of a probe, to find it by."""


def probe(signal: Signal) -> bytes:
    """Return an export request with one record."""
    now = time_ns()
    resource = Resource(
        attributes=[
            _text(semconv.SERVICE_NAME, SERVICE),
            _text(semconv.SERVICE_INSTANCE_ID, f"{os.getpid()}-{secrets.token_hex(4)}"),
        ]
    )
    scope = InstrumentationScope(name=semconv.SCOPE_NAME, version=__version__)
    if signal == Signal.LOGS:
        record = LogRecord(
            time_unix_nano=now,
            observed_time_unix_nano=now,
            severity_number=SeverityNumber.SEVERITY_NUMBER_INFO,
            severity_text="INFO",
            event_name=semconv.PROBE,
            body=AnyValue(string_value="synapse-otel doctor was here"),
        )
        logs = ResourceLogs(resource=resource, scope_logs=[ScopeLogs(scope=scope, log_records=[record])])
        return ExportLogsServiceRequest(resource_logs=[logs]).SerializeToString()
    if signal == Signal.METRICS:
        gauge = Gauge(data_points=[NumberDataPoint(time_unix_nano=now, as_double=1.0)])
        metric = Metric(name=semconv.PROBE, unit="1", gauge=gauge)
        metrics = ResourceMetrics(resource=resource, scope_metrics=[ScopeMetrics(scope=scope, metrics=[metric])])
        return ExportMetricsServiceRequest(resource_metrics=[metrics]).SerializeToString()
    span = Span(
        trace_id=secrets.token_bytes(16),
        span_id=secrets.token_bytes(8),
        name=semconv.PROBE,
        kind=Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=now,
        end_time_unix_nano=now,
    )
    spans = ResourceSpans(resource=resource, scope_spans=[ScopeSpans(scope=scope, spans=[span])])
    return ExportTraceServiceRequest(resource_spans=[spans]).SerializeToString()


def server_date(endpoint: Endpoint) -> float | None:
    """Return the Unix time in whole seconds that a server of HTTP writes on an answer; None where none comes."""
    timeout = urllib3.Timeout(total=endpoint.timeout_seconds)
    try:
        pool = open_pool(endpoint)
        try:
            answer = pool.request("GET", endpoint.url, redirect=False, retries=False, timeout=timeout)
            return parsedate_to_datetime(answer.headers["date"]).timestamp()
        finally:
            pool.clear()
    except (urllib3.exceptions.HTTPError, HTTPException, OSError, ValueError, KeyError):
        return None


def _text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))
