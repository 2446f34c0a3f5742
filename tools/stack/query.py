"""Read back what the backends hold, as plain data: every span, every raw sample, every log record."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tools.stack.errors import AnswerError
from tools.stack.fetch import get_json

LOKI_LIMIT = 100_000
"""Records in one answer: collector/loki.yaml allows as many."""


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
    """A log record of Loki: Unix time in nanoseconds, its stream's labels and its structured metadata."""

    time_ns: int
    body: str
    labels: dict[str, str]
    metadata: dict[str, str]


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


def loki_records(base: str, logql: str, start: float, end: float) -> list[LogRecord]:
    """Return the records that a LogQL selector matches with `start` <= time < `end`, by time.

    `start` and `end` are Unix times in seconds. Raises AnswerError where there are more than one answer holds,
    OSError.
    """
    parameters = [
        ("query", logql),
        ("start", str(round(start * 1_000_000_000))),
        ("end", str(round(end * 1_000_000_000))),
        ("limit", str(LOKI_LIMIT)),
        ("direction", "forward"),
    ]
    flags = {"X-Loki-Response-Encoding-Flags": "categorize-labels"}  # else metadata is mixed into the labels
    answer = get_json(f"{base}/loki/api/v1/query_range", parameters, headers=flags, timeout=60)
    records = [
        LogRecord(int(time), body, stream["stream"], kinds.get("structuredMetadata", {}))
        for stream in answer["data"]["result"]
        for time, body, kinds in stream["values"]
    ]
    if len(records) >= LOKI_LIMIT:
        raise AnswerError(f"{logql} matches {LOKI_LIMIT} records or more: ask for a shorter time")
    return sorted(records, key=lambda record: record.time_ns)


def loki_selector(**labels: str) -> str:
    """Return a LogQL stream selector of equal labels, quoted as LogQL wants it."""
    return "{" + ", ".join(f"{name}={json.dumps(value)}" for name, value in labels.items()) + "}"


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
