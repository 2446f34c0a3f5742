"""Asks Jaeger for the spans of a trace."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from synapse_otel.verify.backends.client import Client
from synapse_otel.verify.spans import SpanSeen, TraceSpans

_TRACE_DIGITS: Final = 32
_STATUS: Final = "otel.status_code"


class _Tag(msgspec.Struct):
    key: str
    value: Any


class _Reference(msgspec.Struct):
    kind: str = msgspec.field(name="refType")
    trace: str = msgspec.field(name="traceID")
    span: str = msgspec.field(name="spanID")


class _Span(msgspec.Struct):
    trace: str = msgspec.field(name="traceID")
    id: str = msgspec.field(name="spanID")
    start: int = msgspec.field(name="startTime")
    duration: int
    references: list[_Reference] = []
    tags: list[_Tag] = []


class _Trace(msgspec.Struct):
    spans: list[_Span]


class _Answer(msgspec.Struct):
    data: list[_Trace] | None = None
    errors: list[dict[str, Any]] | None = None


_decode: Final = msgspec.json.Decoder(_Answer).decode


def look_up_spans(client: Client, trace: TraceSpans) -> None:
    """Compare the spans of a trace with those in Jaeger, which answers with the whole trace.

    Raises:
        BackendError: it cannot be asked, answers only partly, or with another trace.
    """
    data = client.get(f"/api/traces/{trace.trace_id}", {"raw": "true"})
    if data is None:
        return
    try:
        answer = _decode(data)
    except (ValueError, msgspec.MsgspecError):
        raise client.error(f"answered only partly, or not in JSON: {data[-80:].decode(errors='replace')!r}") from None
    if answer.errors:
        raise client.error(f"answered only partly: {answer.errors[0].get('msg', answer.errors[0])}")
    for found in answer.data or ():
        for span in found.spans:
            if span.trace.zfill(_TRACE_DIGITS) != trace.trace_id:
                raise client.error(f"answered with a span of another trace, {span.trace}")
            _match(trace, span)


def _match(trace: TraceSpans, span: _Span) -> None:
    here = [one for one in span.references if one.trace.zfill(_TRACE_DIGITS) == trace.trace_id]
    parents = [one.span for one in here if one.kind == "CHILD_OF"]
    status = next((str(tag.value) for tag in span.tags if tag.key == _STATUS), "")
    seen = SpanSeen(parents[0] if parents else "", status, span.start, span.duration)
    # A link to a span's own parent takes the parent's place in this API.
    trace.match(span.id, seen, [one.span for one in here])
