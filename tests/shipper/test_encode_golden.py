"""Equal content, encoded by us and by OpenTelemetry's own encoder, is the same message."""

import pytest
from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics as official_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from synapse_otel.journal import frames
from synapse_otel.otlp.encode import metrics as encode_metrics
from synapse_otel.otlp.encode.logs import log_record
from synapse_otel.otlp.encode.request import Group, record_field, request
from synapse_otel.otlp.encode.spans import span
from synapse_otel.otlp.encode.values import resource, scope

pytestmark = pytest.mark.once

NOW = 1_700_000_000_000_000_000
RESOURCE = {"service.name": "yolo", "process.pid": 7, "process.command_args": ["python", "train.py"]}
SCHEMA = "https://opentelemetry.io/schemas/1.37.0"
SCOPE = frames.Scope(1, "synapse_otel", "1.0", "https://scope", {"kind": "test"})
ATTRIBUTES = {"text": "train", "whole": 3, "negative": -1, "real": 0.25, "yes": True, "no": False, "empty": ""}
TRACE_ID, SPAN_ID = bytes(range(16)), bytes(range(8))


def sdk_resource():
    return Resource(RESOURCE, SCHEMA)


def our_request(*records):
    return request(
        resource(RESOURCE), [Group(scope(SCOPE), list(map(record_field, records)), SCOPE.schema_url)], schema_url=SCHEMA
    )


def test_a_log_record_is_that_of_the_official_encoder():
    exporter = InMemoryLogRecordExporter()
    provider = LoggerProvider(sdk_resource())
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    context = trace.SpanContext(int.from_bytes(TRACE_ID), int.from_bytes(SPAN_ID), False, trace.TraceFlags(1))
    provider.get_logger(SCOPE.name, SCOPE.version, SCOPE.schema_url, SCOPE.attributes).emit(
        LogRecord(
            timestamp=NOW,
            observed_timestamp=NOW + 1,
            context=trace.set_span_in_context(trace.NonRecordingSpan(context)),
            severity_text="INFO",
            severity_number=SeverityNumber.INFO,
            body={"message": "hello", "list": [1, None]},
            attributes={**ATTRIBUTES, "nested": {"deep": [1, "a"]}, "log.record.uid": "journal-1"},
            event_name="message",
        )
    )
    official = encode_logs(exporter.get_finished_logs())
    log = frames.Log(
        NOW,
        9,
        "INFO",
        "message",
        {"message": "hello", "list": [1, None]},
        {**ATTRIBUTES, "nested": {"deep": [1, "a"]}},
        TRACE_ID + SPAN_ID + b"\x01",
        1,
        NOW + 1,
    )
    assert ExportLogsServiceRequest.FromString(our_request(log_record(log, "journal-1"))) == official


def test_a_span_is_that_of_the_official_encoder():
    exporter = InMemorySpanExporter()
    provider = TracerProvider(resource=sdk_resource())
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    state = trace.TraceState([("vendor", "a"), ("other", "b")])
    parent = trace.SpanContext(int.from_bytes(TRACE_ID), int.from_bytes(SPAN_ID), True, trace.TraceFlags(1), state)
    tracer = provider.get_tracer(SCOPE.name, SCOPE.version, SCOPE.schema_url, SCOPE.attributes)
    made = tracer.start_span(
        "train",
        trace.set_span_in_context(trace.NonRecordingSpan(parent)),
        trace.SpanKind.CONSUMER,
        ATTRIBUTES,
        [trace.Link(trace.SpanContext(1, 2, False), ATTRIBUTES)],
        NOW,
    )
    made.add_event("message", ATTRIBUTES, NOW + 1)
    made.add_event("done", None, NOW + 2)
    made.set_status(trace.StatusCode.ERROR, "broken")
    made.end(NOW + 3)
    official = encode_spans(exporter.get_finished_spans())
    ours = frames.Span(
        TRACE_ID,
        made.get_span_context().span_id.to_bytes(8),
        SPAN_ID,
        0x300,
        "vendor=a,other=b",
        "train",
        5,
        NOW,
        NOW + 3,
        ATTRIBUTES,
        1,
        2,
        "broken",
        [frames.SpanEvent(NOW + 1, "message", ATTRIBUTES), frames.SpanEvent(NOW + 2, "done", {})],
        [frames.Link((1).to_bytes(16), (2).to_bytes(8), "", ATTRIBUTES, 0x100)],
    )
    assert ExportTraceServiceRequest.FromString(our_request(span(ours))) == official


def test_metrics_are_those_of_the_official_encoder():
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], sdk_resource(), shutdown_on_exit=False)
    meter = provider.get_meter(SCOPE.name, SCOPE.version, SCOPE.schema_url, SCOPE.attributes)
    meter.create_gauge("loss", "1", "How bad.").set(0.5, ATTRIBUTES)
    meter.create_counter("items", "{item}", "Done.").add(3, ATTRIBUTES)
    meter.create_up_down_counter("active", "{job}", "Running.").add(-1.5, ATTRIBUTES)
    histogram = meter.create_histogram("duration", "s", "Long.", explicit_bucket_boundaries_advisory=[1, 2.5])
    for value in (0.5, 1.0, 9.0):
        histogram.record(value, ATTRIBUTES)
    official = official_metrics(reader.get_metrics_data())
    provider.shutdown()
    gauge, items, active, duration = official.resource_metrics[0].scope_metrics[0].metrics

    def point_times(points):
        return points[0].start_time_unix_nano, points[0].time_unix_nano

    counted = encode_metrics.Distribution([1.0, 2.5], [2, 0, 1], 10.5, 0.5, 9.0)
    _, sampled = point_times(gauge.gauge.data_points)
    ours = our_request(
        encode_metrics.metric(
            "gauge", "loss", "1", "How bad.", [encode_metrics.gauge_points(ATTRIBUTES, [(sampled, 0.5)])]
        ),
        encode_metrics.metric(
            "counter",
            "items",
            "{item}",
            "Done.",
            [encode_metrics.sum_point(ATTRIBUTES, *point_times(items.sum.data_points), 3.0)],
        ),
        encode_metrics.metric(
            "updowncounter",
            "active",
            "{job}",
            "Running.",
            [encode_metrics.sum_point(ATTRIBUTES, *point_times(active.sum.data_points), -1.5)],
        ),
        encode_metrics.metric(
            "histogram",
            "duration",
            "s",
            "Long.",
            [encode_metrics.histogram_point(ATTRIBUTES, *point_times(duration.histogram.data_points), counted)],
        ),
    )
    assert ExportMetricsServiceRequest.FromString(ours) == official
