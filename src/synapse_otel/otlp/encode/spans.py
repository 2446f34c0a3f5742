"""Spans as OTLP. See `opentelemetry/proto/trace/v1/trace.proto`."""

from __future__ import annotations

from struct import Struct as Packing
from typing import Final

from synapse_otel.journal.frames import Link, Span, SpanEvent
from synapse_otel.otlp.encode.values import attributes, dropped
from synapse_otel.otlp.encode.wire import DELIMITED, FIXED32, FIXED64, VARINT, delimited, number, tag, text, unsigned64

_TRACE_ID: Final = tag(1, DELIMITED)
_SPAN_ID: Final = tag(2, DELIMITED)
_TRACE_STATE: Final = tag(3, DELIMITED)
_PARENT_ID: Final = tag(4, DELIMITED)
_NAME: Final = tag(5, DELIMITED)
_KIND: Final = tag(6, VARINT)
_START: Final = tag(7, FIXED64)[0]
_END: Final = tag(8, FIXED64)[0]
_ATTRIBUTES: Final = tag(9, DELIMITED)
_DROPPED_ATTRIBUTES: Final = tag(10, VARINT)
_EVENTS: Final = tag(11, DELIMITED)
_DROPPED_EVENTS: Final = tag(12, VARINT)
_LINKS: Final = tag(13, DELIMITED)
_DROPPED_LINKS: Final = tag(14, VARINT)
_STATUS: Final = tag(15, DELIMITED)
_FLAGS: Final = tag(16, FIXED32)

_STATUS_MESSAGE: Final = tag(2, DELIMITED)
_STATUS_CODE: Final = tag(3, VARINT)

_EVENT_TIME: Final = tag(1, FIXED64)[0]
_EVENT_NAME: Final = tag(2, DELIMITED)
_EVENT_ATTRIBUTES: Final = tag(3, DELIMITED)
_EVENT_DROPPED_ATTRIBUTES: Final = tag(4, VARINT)

_LINK_ATTRIBUTES: Final = tag(4, DELIMITED)
_LINK_FLAGS: Final = tag(6, FIXED32)

_PACK_TIMES: Final = Packing("<BQBQ").pack
_PACK_TIME: Final = Packing("<BQ").pack


def span(span: Span) -> bytes:
    """Return the body of a ``Span``.

    The flags are written as they stand in the journal: bits 0 to 7 are those of the W3C trace context, bit 8 says
    that bit 9 is known, and bit 9 that the parent is in another process (``SpanFlags`` in the specification).
    Times before 1970 become 0. A span that ends before it begins, as the clock was set back, ends when it begins.
    """
    fields = [
        delimited(_TRACE_ID, span.trace_id),
        delimited(_SPAN_ID, span.span_id),
        text(_TRACE_STATE, span.trace_state),
        delimited(_PARENT_ID, span.parent_id) if span.parent_id else b"",
        text(_NAME, span.name),
        number(_KIND, span.kind),
        _PACK_TIMES(_START, unsigned64(span.start), _END, unsigned64(max(span.end, span.start))),
        attributes(_ATTRIBUTES, span.attributes),
        dropped(_DROPPED_ATTRIBUTES, span.dropped_attributes),
        *[delimited(_EVENTS, _event(event)) for event in span.events],
        dropped(_DROPPED_EVENTS, span.dropped_events),
        *[delimited(_LINKS, _link(link)) for link in span.links],
        dropped(_DROPPED_LINKS, span.dropped_links),
        delimited(_STATUS, text(_STATUS_MESSAGE, span.status_message) + number(_STATUS_CODE, span.status)),
        _flags(_FLAGS, span.flags),
    ]
    return b"".join(fields)


def _event(event: SpanEvent) -> bytes:
    return (
        _PACK_TIME(_EVENT_TIME, unsigned64(event.time))
        + text(_EVENT_NAME, event.name)
        + attributes(_EVENT_ATTRIBUTES, event.attributes)
        + dropped(_EVENT_DROPPED_ATTRIBUTES, event.dropped_attributes)
    )


def _link(link: Link) -> bytes:
    return (
        delimited(_TRACE_ID, link.trace_id)
        + delimited(_SPAN_ID, link.span_id)
        + text(_TRACE_STATE, link.trace_state)
        + attributes(_LINK_ATTRIBUTES, link.attributes)
        + _flags(_LINK_FLAGS, link.flags)
    )


def _flags(tag: bytes, flags: int) -> bytes:
    return tag + (flags & 0xFFFFFFFF).to_bytes(4, "little") if flags else b""
