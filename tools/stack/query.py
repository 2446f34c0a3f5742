"""Read back what the backends hold, as plain data: every span, every raw sample, every log record."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tools.stack.errors import AnswerError
from tools.stack.fetch import get_json, get_text


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """An event of a span; `time_us` is Unix time in microseconds, all that Jaeger's query API gives."""

    name: str
    time_us: int
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Span:
    """A span as Jaeger shows it. Times are Unix time in microseconds.

    `attributes` holds, beside the span's own, what Jaeger makes of its fields: `span.kind`, `otel.status_code`,
    `otel.status_description`, `error`, `otel.scope.name`. A link to a span's own parent takes the parent's place there.
    """

    trace_id: str
    span_id: str
    parent_span_id: str | None
    name: str
    start_us: int
    duration_us: int
    attributes: dict[str, Any]
    events: tuple[SpanEvent, ...]
    resource: dict[str, Any]
    links: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """A raw sample of Prometheus: Unix time in milliseconds, its precision."""

    time_ms: int
    value: float


@dataclass(frozen=True, slots=True)
class Series:
    """A time series of Prometheus with its raw samples, oldest first; `labels` includes `__name__`."""

    labels: dict[str, str]
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A log record of VictoriaLogs: Unix time in nanoseconds, its body, and every other field as text.

    `fields` holds attributes and the resource's attributes by their own names, and `event_name`, `severity_text`,
    `severity_number`, `trace_id`, `span_id`, `scope.name`. `stream` holds the fields that make the record's stream.
    """

    time_ns: int
    body: str
    fields: dict[str, str]
    stream: str


def jaeger_trace(base: str, trace_id: str) -> list[Span]:
    """Return every span of a trace, by start; an empty list while Jaeger does not know it.

    `trace_id` is 32 hexadecimal digits. Raises AnswerError, OSError.
    """
    try:
        answer = get_json(f"{base}/api/traces/{trace_id}")
    except AnswerError as error:
        if str(error).startswith("404 "):
            return []
        raise
    return [span for trace in answer["data"] for span in _spans(trace)]


def jaeger_search(
    base: str,
    service: str,
    *,
    tags: Mapping[str, str] | None = None,
    operation: str | None = None,
    limit: int = 100,
) -> dict[str, list[Span]]:
    """Return the traces of a service with a span that has all `tags` and is named `operation`, by trace id.

    Jaeger looks back two days. Raises AnswerError, OSError.
    """
    parameters = [("service", service), ("limit", str(limit))]
    if tags:
        parameters.append(("tags", json.dumps(dict(tags))))
    if operation:
        parameters.append(("operation", operation))
    answer = get_json(f"{base}/api/traces", parameters)
    return {_trace_id(trace["traceID"]): _spans(trace) for trace in answer["data"]}


def prometheus_series(base: str, selector: str, start: float, end: float) -> list[Series]:
    """Return each series that `selector` matches, with every raw sample of `start` <= time <= `end`.

    `start` and `end` are Unix times in seconds; `selector` is one of PromQL, such as `synapse_job_items_total` or
    `{synapse_job_id="a"}`. Raises AnswerError, OSError.
    """
    milliseconds = round((end - start) * 1000) + 1  # a range is open at its left end
    query = f"{selector}[{milliseconds}ms]"
    answer = get_json(f"{base}/api/v1/query", [("query", query), ("time", f"{end:.3f}")])
    return [
        Series(
            labels=series["metric"],
            samples=tuple(Sample(round(time * 1000), float(value)) for time, value in series["values"]),
        )
        for series in answer["data"]["result"]
    ]


def log_records(base: str, logsql: str, start: float, end: float) -> list[LogRecord]:
    """Return the records that a LogsQL query matches with `start` <= time < `end`, by time.

    `start` and `end` are Unix times in seconds. Raises AnswerError, OSError.
    """
    parameters = [("query", logsql), ("start", f"{start:.9f}"), ("end", f"{end:.9f}")]
    answer = get_text(f"{base}/select/logsql/query", parameters, timeout=60)
    return sorted(map(_record, answer.splitlines()), key=lambda record: record.time_ns)


def equal_fields(fields: Mapping[str, str]) -> str:
    """Return a LogsQL filter for records with these fields, such as `{"service.name": "yolo"}`."""
    return " ".join(f"{json.dumps(name)}:={json.dumps(value)}" for name, value in fields.items())


def _record(line: str) -> LogRecord:
    fields = json.loads(line)
    fields.pop("_stream_id")
    time_ns = _nanoseconds(fields.pop("_time"))
    return LogRecord(time_ns, fields.pop("_msg", ""), stream=fields.pop("_stream"), fields=fields)


def _nanoseconds(text: str) -> int:
    """Return a time of RFC 3339 in UTC, with up to nine digits of a second, as Unix time in nanoseconds."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    seconds = int(datetime.fromisoformat(f"{whole}+00:00").timestamp())
    return seconds * 1_000_000_000 + int(fraction.ljust(9, "0"))


def _spans(trace: Mapping[str, Any]) -> list[Span]:
    spans = (_span(span, trace["processes"][span["processID"]]) for span in trace["spans"])
    return sorted(spans, key=lambda span: (span.start_us, span.span_id))


def _span(span: Mapping[str, Any], process: Mapping[str, Any]) -> Span:
    references = [(kind["refType"], (_trace_id(kind["traceID"]), kind["spanID"])) for kind in span["references"]]
    parents = [span_id for kind, (_, span_id) in references if kind == "CHILD_OF"]
    return Span(
        trace_id=_trace_id(span["traceID"]),
        span_id=span["spanID"],
        parent_span_id=parents[0] if parents else None,
        name=span["operationName"],
        start_us=span["startTime"],
        duration_us=span["duration"],
        attributes=_attributes(span["tags"]),
        events=tuple(_event(log) for log in span["logs"]),
        resource={"service.name": process["serviceName"], **_attributes(process["tags"])},
        links=tuple(target for kind, target in references if kind == "FOLLOWS_FROM"),
    )


def _event(log: Mapping[str, Any]) -> SpanEvent:
    attributes = _attributes(log["fields"])
    return SpanEvent(name=str(attributes.pop("event", "")), time_us=log["timestamp"], attributes=attributes)


def _attributes(tags: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {tag["key"]: tag["value"] for tag in tags}


def _trace_id(text: str) -> str:
    return text.zfill(32)
