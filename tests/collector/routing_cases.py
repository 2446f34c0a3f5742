"""The golden cases of the routes: short YAML, as OTLP requests, and what sinks received, as the same short form."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs, SeverityNumber
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    Gauge,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from synapse_otel import semconv
from tests import sink as sinks

FOLDER = Path(__file__).with_name("cases")
SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
TEMPORALITIES = {
    "counter": AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE,
    "delta": AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA,
}


@dataclass(frozen=True)
class Case:
    """What is sent, and what each sink receives of it; a sink that is not named receives nothing.

    `settings` are variables of the Collectors, beside every sink being on.
    """

    name: str
    send: list[dict[str, Any]]
    expect: dict[str, list[Any]]
    settings: dict[str, str] = field(default_factory=dict)

    def requests(self) -> Iterator[Message]:
        """Return the requests, the resource named after the case."""
        for part in self.send:
            resource = Resource(attributes=attributes({"service.name": self.name, **part.get("resource", {})}))
            yield from requests(resource, part)


def load_cases() -> list[Case]:
    """Read every file of `cases/`, each a list of cases."""
    files = sorted(FOLDER.glob("*.yaml"))
    found = [(file.stem, entry) for file in files for entry in yaml.safe_load(file.read_text(encoding="utf-8"))]
    return [
        Case(
            name=f"{stem}: {entry['case']}",
            send=entry["send"] if isinstance(entry["send"], list) else [entry["send"]],
            expect=entry["expect"] or {},
            settings=entry.get("with", {}),
        )
        for stem, entry in found
    ]


# --- short form -> OTLP --------------------------------------------------------------------------------


def requests(resource: Resource, part: Mapping[str, Any]) -> Iterator[Message]:
    """Return a request for each signal that `part` has records of."""
    if records := part.get("logs"):
        scopes = [ScopeLogs(scope=_scope(record), log_records=[_log(record)]) for record in records]
        yield ExportLogsServiceRequest(resource_logs=[ResourceLogs(resource=resource, scope_logs=scopes)])
    if records := part.get("spans"):
        spans = [ScopeSpans(scope=_scope(record), spans=[_span(record)]) for record in records]
        yield ExportTraceServiceRequest(resource_spans=[ResourceSpans(resource=resource, scope_spans=spans)])
    if records := part.get("metrics"):
        metrics = [ScopeMetrics(scope=_scope(record), metrics=[_metric(record)]) for record in records]
        yield ExportMetricsServiceRequest(resource_metrics=[ResourceMetrics(resource=resource, scope_metrics=metrics)])


def attributes(values: Mapping[str, Any]) -> list[KeyValue]:
    """Return attributes in OTLP's form."""
    return [KeyValue(key=key, value=_value(value)) for key, value in values.items()]


def _value(value: Any) -> AnyValue:
    found = AnyValue()
    if isinstance(value, bool):
        found.bool_value = value
    elif isinstance(value, int):
        found.int_value = value
    elif isinstance(value, float):
        found.double_value = value
    elif isinstance(value, Mapping):
        found.kvlist_value.values.extend(attributes(value))
    elif isinstance(value, list):
        found.array_value.values.extend(map(_value, value))
    else:
        found.string_value = value
    return found


def _scope(record: Mapping[str, Any]) -> InstrumentationScope:
    return InstrumentationScope(name=record.get("scope", semconv.SCOPE_NAME))


def _time(record: Mapping[str, Any]) -> int:
    """Return Unix time in ns; `time` is `-3h`, `+10m`."""
    text = record.get("time", "-0s")
    return time.time_ns() + int(text[:-1]) * SECONDS[text[-1]] * 1_000_000_000


def _log(record: Mapping[str, Any]) -> LogRecord:
    severity = record.get("severity", "INFO")
    return LogRecord(
        time_unix_nano=_time(record),
        severity_text=severity,
        severity_number=SeverityNumber.Value(f"SEVERITY_NUMBER_{severity}"),
        body=_value(record["body"]),
        event_name=record.get("event", ""),
        attributes=attributes(record.get("attributes", {})),
    )


def _span(record: Mapping[str, Any]) -> Span:
    at = _time(record)
    return Span(
        trace_id=bytes(range(16)),
        span_id=bytes(range(8)),
        name=record["name"],
        start_time_unix_nano=at,
        end_time_unix_nano=at,
        status=Status(code=Status.StatusCode.Value(f"STATUS_CODE_{record.get('status', 'unset').upper()}")),
        attributes=attributes(record.get("attributes", {})),
    )


def _metric(record: Mapping[str, Any]) -> Metric:
    point = NumberDataPoint(
        time_unix_nano=_time(record),
        as_double=record.get("value", 1.0),
        attributes=attributes(record.get("attributes", {})),
    )
    kind = record.get("kind", "gauge")
    if kind == "gauge":
        return Metric(name=record["name"], gauge=Gauge(data_points=[point]))
    temporality = TEMPORALITIES[kind]
    return Metric(
        name=record["name"], sum=Sum(data_points=[point], aggregation_temporality=temporality, is_monotonic=True)
    )


# --- OTLP -> short form --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Received:
    """A record at a sink: a log record's body, the name of a span or metric; its attributes, and its resource's."""

    what: Any
    attributes: dict[str, Any]
    resource: dict[str, Any]

    def fits(self, expected: Any) -> bool:
        """Whether it is the record that a case expects: its name, or with attributes too, null for none of that key."""
        if not isinstance(expected, Mapping) or "is" not in expected:
            return bool(self.what == expected)
        wanted = expected.get("attributes", {})
        return bool(self.what == expected["is"]) and {key: self.attributes.get(key) for key in wanted} == wanted


def received(sink: sinks.Sink) -> Iterator[Received]:
    """Return everything that a sink has accepted."""
    for request in list(sink.requests):
        for of_resource, _scope_of, record in records(request.message):
            resource = sinks.attributes(of_resource)
            if isinstance(record, Metric):
                points = getattr(record, record.WhichOneof("data")).data_points
                yield from (Received(record.name, sinks.attributes(point), resource) for point in points)
            else:
                what = sinks.body(record) if isinstance(record, LogRecord) else record.name
                yield Received(what, sinks.attributes(record), resource)


def records(message: Message) -> Iterator[tuple[Resource, InstrumentationScope, Any]]:
    """Return every record of a request with its resource and scope."""
    [(_, resources)] = message.ListFields() or [(None, [])]
    for of_resource in resources:
        scopes = next(value for key, value in of_resource.ListFields() if key.name.startswith("scope_"))
        for of_scope in scopes:
            found = next(
                value for key, value in of_scope.ListFields() if key.name in {"log_records", "spans", "metrics"}
            )
            for record in found:
                yield of_resource.resource, of_scope.scope, record
