"""Export requests, as OpenTelemetry's own protobuf classes decode them, as plain data."""

from __future__ import annotations

from typing import Any

from tests.mapping.readout import milliseconds, plain, tree, without_size


def value_of(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [value_of(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return attributes_of(value.kvlist_value.values)
    return getattr(value, kind) if kind else None


def attributes_of(attributes: Any) -> dict[str, Any]:
    return {item.key: value_of(item.value) for item in attributes}


def spans_of(requests: list[Any]) -> list[dict[str, Any]]:
    found = []
    for request in requests:
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                found += [_span(span) for span in scope.spans]
    return tree(found)


def _span(span: Any) -> dict[str, Any]:
    found = {
        "name": span.name,
        "id": int.from_bytes(span.span_id),
        "trace": int.from_bytes(span.trace_id),
        "parent": int.from_bytes(span.parent_span_id),
        "from": milliseconds(span.start_time_unix_nano),
        "to": milliseconds(span.end_time_unix_nano),
        "status": [span.status.code, span.status.message],
        "attributes": plain(attributes_of(span.attributes)),
        "events": [
            [milliseconds(event.time_unix_nano), event.name, without_size(plain(attributes_of(event.attributes)))]
            for event in span.events
        ],
        "links": [[int.from_bytes(link.span_id), attributes_of(link.attributes)] for link in span.links],
    }
    assert not span.dropped_attributes_count
    assert not span.dropped_events_count
    return found


def logs_of(requests: list[Any]) -> list[dict[str, Any]]:
    found = []
    for request in requests:
        for resource in request.resource_logs:
            for scope in resource.scope_logs:
                found += [_log(record, scope.scope.name) for record in scope.log_records]
    return found


def _log(record: Any, scope: str) -> dict[str, Any]:
    assert record.observed_time_unix_nano
    return {
        "at": milliseconds(record.time_unix_nano),
        "event": record.event_name or None,
        "severity": [record.severity_number, record.severity_text],
        "body": value_of(record.body),
        "attributes": without_size(plain(attributes_of(record.attributes))),
        "span": int.from_bytes(record.span_id),
        "trace": int.from_bytes(record.trace_id),
        "scope": scope,
    }


def metrics_of(requests: list[Any]) -> dict[str, Any]:
    """Return each metric's points; of what is said more than once, the last."""
    found: dict[str, Any] = {}
    for request in requests:
        for resource in request.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    _add_metric(found, metric)
    for metric in found.values():
        metric["points"] = [metric["points"][key] for key in sorted(metric["points"])]
    return dict(sorted(found.items()))


def _add_metric(found: dict[str, Any], metric: Any) -> None:
    kind = metric.WhichOneof("data")
    data = getattr(metric, kind)
    shown = {"kind": kind, "unit": metric.unit, "points": {}}
    if kind != "gauge":
        shown["temporality"] = data.aggregation_temporality
    if kind == "sum":
        shown["monotonic"] = data.is_monotonic
    points = found.setdefault(metric.name, shown)["points"]
    for point in data.data_points:
        attributes = attributes_of(point.attributes)
        shown_point: dict[str, Any] = {"attributes": attributes}
        key = repr(sorted(attributes.items()))
        if metric.name == "synapse.job.metric":
            key += str(point.time_unix_nano)  # each value is a point of its own
            shown_point["at"] = milliseconds(point.time_unix_nano)
        if kind == "histogram":
            shown_point |= {"count": point.count, "sum": round(point.sum, 6)}
        else:
            shown_point["value"] = getattr(point, point.WhichOneof("value"))
        points[key] = shown_point
