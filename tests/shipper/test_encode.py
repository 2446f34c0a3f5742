"""What the encoders write, read back by the official protobuf classes, field by field."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from synapse_otel.journal import frames
from synapse_otel.otlp.encode import metrics as encode_metrics
from synapse_otel.otlp.encode.logs import log_record
from synapse_otel.otlp.encode.request import Group, record_field, request
from synapse_otel.otlp.encode.spans import span
from synapse_otel.otlp.encode.values import DEEPEST, any_value, resource, scope

pytestmark = pytest.mark.once

NOW = 1_700_000_000_000_000_000
UNSIGNED_32 = st.integers(0, 2**32 - 1)
TIMES = st.integers(0, 2**64 - 1)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
ATTRIBUTES = st.dictionaries(st.text(), VALUES, max_size=5)
LOGS = st.builds(
    frames.Log,
    time=TIMES,
    severity=st.integers(0, 24),
    severity_text=st.none() | st.text(),
    event_name=st.none() | st.text(),
    body=VALUES,
    attributes=ATTRIBUTES,
    span=st.just(b"") | st.binary(min_size=25, max_size=25),
    scope=st.just(1),
    observed=TIMES,
)
EVENTS = st.builds(frames.SpanEvent, time=TIMES, name=st.text(), attributes=ATTRIBUTES, dropped_attributes=UNSIGNED_32)
LINKS = st.builds(
    frames.Link,
    trace_id=st.binary(min_size=16, max_size=16),
    span_id=st.binary(min_size=8, max_size=8),
    trace_state=st.text(),
    attributes=ATTRIBUTES,
    flags=UNSIGNED_32,
)
SPANS = st.builds(
    frames.Span,
    trace_id=st.binary(min_size=16, max_size=16),
    span_id=st.binary(min_size=8, max_size=8),
    parent_id=st.just(b"") | st.binary(min_size=8, max_size=8),
    flags=UNSIGNED_32,
    trace_state=st.text(),
    name=st.text(),
    kind=st.integers(0, 5),
    start=TIMES,
    end=TIMES,
    attributes=ATTRIBUTES,
    scope=st.just(1),
    status=st.integers(0, 2),
    status_message=st.text(),
    events=st.lists(EVENTS, max_size=3),
    links=st.lists(LINKS, max_size=3),
    dropped_attributes=UNSIGNED_32,
    dropped_events=UNSIGNED_32,
    dropped_links=UNSIGNED_32,
)


def read_value(message):
    kind = message.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [read_value(item) for item in message.array_value.values]
    if kind == "kvlist_value":
        return read(message.kvlist_value.values)
    return getattr(message, kind)


def read(key_values):
    return {item.key: read_value(item.value) for item in key_values}


def sent(value):
    """What a value has become when it is read: the same, but for integers that OTLP cannot hold."""
    if isinstance(value, list):
        return [sent(item) for item in value]
    if isinstance(value, dict):
        return {key: sent(item) for key, item in value.items()}
    return str(value) if isinstance(value, int) and value >= 2**63 else value


def same(left, right):
    """Equal in type too, with NaN equal to NaN and 0.0 unlike -0.0."""
    return repr(left) == repr(right)


@given(VALUES)
@example([True, 1, 1.0, False, 0, 0.0, -0.0, "", b"", [], {}])
@example({"a": [{"b": [{"c": None}]}], "": float("nan")})
def test_a_value_is_read_as_it_was(value):
    assert same(read_value(AnyValue.FromString(any_value(value))), sent(value))


@given(ATTRIBUTES)
@example({"a": True, "b": 1, "c": 1.0})
@example({"a": 1, "b": 1.0, "c": True})
@example({"a": "x" * 200, "b": "x" * 20_000, "c": "é"})
def test_attributes_are_read_as_they_were(attributes):
    for _ in range(2):  # the second time out of the cache
        assert same(read(Resource.FromString(resource(attributes)).attributes), sent(attributes))


def test_equal_values_of_different_types_under_one_key_keep_their_types():
    for value in (True, 1, 1.0, "1", False, 0, 0.0, -0.0, True):
        assert same(read(Resource.FromString(resource({"key": value})).attributes), {"key": value})


def test_more_keys_than_are_remembered_are_all_right():
    for number in range(10_000):
        attributes = {f"key {number}": "value" * (number % 50)}
        assert read(Resource.FromString(resource(attributes)).attributes) == attributes


def test_what_otlp_cannot_hold_becomes_text():
    odd = {"set": {1}, "surrogate": "\ud800", "number": -(2**63) - 1, 7: "key", "\ud800": 1}
    assert read(Resource.FromString(resource(odd)).attributes) == {
        "set": "{1}",
        "surrogate": "\\ud800",
        "number": "-9223372036854775809",
        "7": "key",
        "\\ud800": 1,
    }


def test_what_is_nested_too_deep_becomes_text():
    value = "bottom"
    for _ in range(200):
        value = {"deeper": [value]}
    found = read_value(AnyValue.FromString(any_value(value)))
    for _ in range(DEEPEST // 2):
        found = found["deeper"][0]
    assert found.startswith("{'deeper': [")


@given(LOGS, st.text(min_size=1, max_size=300))
def test_a_log_record_is_read_as_it_was(log, uid):
    record = LogRecord.FromString(log_record(log, uid))
    assert record.time_unix_nano == log.time
    assert record.observed_time_unix_nano == (log.observed or log.time)
    assert record.severity_number == log.severity
    assert record.severity_text == (log.severity_text or "")
    assert record.event_name == (log.event_name or "")
    assert same(read_value(record.body), sent(log.body))
    assert same(read(record.attributes), sent({**log.attributes, "log.record.uid": uid}))
    assert record.trace_id + record.span_id + bytes([record.flags] if log.span else []) == log.span


def test_a_log_record_with_impossible_numbers_is_still_sent():
    log = frames.Log(-5, 25, None, None, None, {}, b"short", 1, observed=2**70)
    record = LogRecord.FromString(log_record(log, "uid"))
    assert (record.time_unix_nano, record.observed_time_unix_nano) == (0, 2**64 - 1)
    assert (record.severity_number, record.trace_id, record.span_id) == (0, b"", b"")
    assert not record.HasField("body")


@given(SPANS)
def test_a_span_is_read_as_it_was(original):
    message = Span.FromString(span(original))
    for name in ("trace_id", "span_id", "flags", "trace_state", "name", "kind"):
        assert getattr(message, name) == getattr(original, name)
    assert message.parent_span_id == original.parent_id
    ends = (original.start, max(original.start, original.end))  # nothing ends before it began
    assert (message.start_time_unix_nano, message.end_time_unix_nano) == ends
    assert (message.status.code, message.status.message) == (original.status, original.status_message)
    assert same(read(message.attributes), sent(original.attributes))
    assert message.dropped_attributes_count == original.dropped_attributes
    assert message.dropped_events_count == original.dropped_events
    assert message.dropped_links_count == original.dropped_links
    for event, as_made in zip(message.events, original.events, strict=True):
        assert (event.time_unix_nano, event.name) == (as_made.time, as_made.name)
        assert event.dropped_attributes_count == as_made.dropped_attributes
        assert same(read(event.attributes), sent(as_made.attributes))
    for link, as_made in zip(message.links, original.links, strict=True):
        for name in ("trace_id", "span_id", "trace_state", "flags"):
            assert getattr(link, name) == getattr(as_made, name)
        assert same(read(link.attributes), sent(as_made.attributes))


def metrics(*bodies):
    return (
        ExportMetricsServiceRequest.FromString(request(b"", [Group(b"", list(map(record_field, bodies)))]))
        .resource_metrics[0]
        .scope_metrics[0]
        .metrics
    )


@given(st.lists(st.tuples(TIMES, st.floats()), max_size=20), ATTRIBUTES)
def test_every_sample_of_a_gauge_is_a_point(samples, attributes):
    points = [encode_metrics.gauge_points(attributes, samples), encode_metrics.gauge_points({}, [(NOW, 1.0)])]
    metric = metrics(encode_metrics.metric("gauge", "loss", "1", "How bad.", points))[0]
    assert (metric.name, metric.unit, metric.description) == ("loss", "1", "How bad.")
    assert metric.WhichOneof("data") == "gauge"
    *found, last = metric.gauge.data_points
    assert same([(point.time_unix_nano, point.as_double) for point in found], samples)
    assert all(same(read(point.attributes), sent(attributes)) for point in found)
    assert (last.time_unix_nano, last.as_double, len(last.attributes)) == (NOW, 1.0, 0)


@given(st.floats() | st.integers(-(2**63), 2**63 - 1), TIMES, TIMES, ATTRIBUTES)
@example(float(2**63), 0, 1, {})
@example(float(-(2**63)), 0, 1, {})
def test_a_sum_is_cumulative_and_whole_numbers_are_integers(value, start, time, attributes):
    points = [encode_metrics.sum_point(attributes, start, time, value)]
    rising, level = metrics(
        encode_metrics.metric("counter", "items", "{item}", "", points),
        encode_metrics.metric("updowncounter", "active", "{job}", "", points),
    )
    assert (rising.sum.is_monotonic, rising.sum.aggregation_temporality) == (True, 2)
    assert (level.sum.is_monotonic, level.sum.aggregation_temporality) == (False, 2)
    assert rising.sum.data_points == level.sum.data_points
    (point,) = rising.sum.data_points
    assert (point.start_time_unix_nano, point.time_unix_nano) == (start, time)
    assert same(read(point.attributes), sent(attributes))
    kind = point.WhichOneof("value")
    assert same(float(getattr(point, kind)), float(value)) or value == 0
    assert (kind == "as_int") == (float(value).is_integer() and -(2**63) <= value < 2**63)


@given(st.lists(st.tuples(st.floats(allow_nan=False), st.integers(0, 2**50)), max_size=20), st.floats(), ATTRIBUTES)
def test_a_histogram_is_read_as_it_was(counts, total, attributes):
    bounds, buckets = [bound for bound, _ in counts], [count for _, count in counts] + [3]
    for limits in ((None, None), (-1.5, 8.0)):
        counted = encode_metrics.Distribution(bounds, buckets, total, *limits)
        body = encode_metrics.histogram_point(attributes, NOW, NOW + 5, counted)
        (metric,) = metrics(encode_metrics.metric("histogram", "duration", "s", "", [body]))
        assert metric.histogram.aggregation_temporality == 2
        (point,) = metric.histogram.data_points
        assert (point.start_time_unix_nano, point.time_unix_nano) == (NOW, NOW + 5)
        assert (list(point.explicit_bounds), list(point.bucket_counts)) == (bounds, buckets)
        assert point.count == sum(buckets)
        assert same(point.sum, total)
        assert (point.HasField("min"), point.HasField("max")) == ((limits[0] is not None),) * 2
        assert (point.min, point.max) == ((0, 0) if limits[0] is None else limits)
        assert same(read(point.attributes), sent(attributes))


def test_a_histogram_says_where_its_last_value_was_measured():
    made = encode_metrics.Exemplar(NOW + 3, 0.5, b"t" * 16 + b"s" * 8)
    counted = encode_metrics.Distribution([1.0], [1, 0], 0.5, exemplar=made)
    body = encode_metrics.histogram_point({}, NOW, NOW + 5, counted)
    (metric,) = metrics(encode_metrics.metric("histogram", "duration", "s", "", [body]))
    (exemplar,) = metric.histogram.data_points[0].exemplars
    assert (exemplar.time_unix_nano, exemplar.as_double) == (NOW + 3, 0.5)
    assert (exemplar.trace_id, exemplar.span_id) == (b"t" * 16, b"s" * 8)


def test_requests_hold_records_by_scope_under_their_resource():
    made = frames.Scope(1, "synapse_otel", "1.0", "https://scope", {"a": 1})
    assert InstrumentationScope.FromString(scope(made)).version == "1.0"
    logs = [log_record(frames.Log(NOW + n, 9, None, None, "x" * n, {}, b"", 1), f"uid-{n}") for n in range(300)]
    logs = list(map(record_field, logs))
    groups = [Group(scope(made), logs, made.schema_url), Group(b"", logs[:1])]
    first = request(resource({"service.name": "yolo"}), groups, schema_url="https://resource")
    second = request(resource({"service.name": "other"}), [])
    one, other = ExportLogsServiceRequest.FromString(first + second).resource_logs
    assert read(one.resource.attributes) == {"service.name": "yolo"}
    assert read(other.resource.attributes) == {"service.name": "other"}
    assert (one.schema_url, other.schema_url) == ("https://resource", "")
    assert [item.scope.name for item in one.scope_logs] == ["synapse_otel", ""]
    assert [item.schema_url for item in one.scope_logs] == ["https://scope", ""]
    assert read(one.scope_logs[0].scope.attributes) == {"a": 1}
    assert [len(record.body.string_value) for record in one.scope_logs[0].log_records] == list(range(300))


def test_metrics_that_came_encoded_stand_beside_our_own():
    gauge = encode_metrics.metric("gauge", "ours", "", "", [encode_metrics.gauge_points({}, [(NOW, 1.0)])])
    gauge = record_field(gauge)
    whole = ExportMetricsServiceRequest.FromString(request(b"", [Group(b"", [gauge]), Group(b"", [gauge])]))
    whole.resource_metrics[0].ClearField("resource")  # what is left are the fields that a frame holds
    ready = whole.resource_metrics[0].SerializeToString()
    found = ExportMetricsServiceRequest.FromString(request(b"", [Group(b"", [gauge])], ready=[ready, ready]))
    assert [item.metrics[0].name for item in found.resource_metrics[0].scope_metrics] == ["ours"] * 5
