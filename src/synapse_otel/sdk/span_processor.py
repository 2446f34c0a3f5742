"""The traces signal: a span processor that writes spans to the journal, when they begin and when they end."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Span as ApiSpan
from opentelemetry.trace import SpanContext, SpanKind, StatusCode, TraceFlags

from synapse_otel._guard import let_through
from synapse_otel.journal import frames
from synapse_otel.sdk.oversize import LARGEST_SPAN, cut
from synapse_otel.sdk.recorder import Recorder

_KINDS: Final = {
    SpanKind.INTERNAL: 1,
    SpanKind.SERVER: 2,
    SpanKind.CLIENT: 3,
    SpanKind.PRODUCER: 4,
    SpanKind.CONSUMER: 5,
}
_STATUS: Final = {StatusCode.UNSET: 0, StatusCode.OK: 1, StatusCode.ERROR: 2}
_COPYABLE: Final = (MappingProxyType, BoundedAttributes)
"""What the SDK's spans hold; copied in one step, where ``dict()`` takes them key by key."""
_SAMPLED: Final = int(TraceFlags.SAMPLED)
_REMOTE_KNOWN: Final = 0x100
_REMOTE: Final = 0x200


def _kind(kind: SpanKind) -> int:
    """Return a span's kind as OTLP has it. Nearly all are the first, and to look one up takes the hash of an enum."""
    return 1 if kind is SpanKind.INTERNAL else _KINDS.get(kind, 1)


def span_reference(span: ApiSpan) -> bytes:
    """Return trace id, span id and flags of a span as a log record holds them; nothing for no span."""
    context = span.get_span_context()
    if not context.is_valid:
        return b""
    return frames.reference(context.trace_id, context.span_id, context.trace_flags)


class JournalSpanProcessor(SpanProcessor):
    """Writes every sampled span; of the scope ``whole``, if there is one, those that are not sampled too."""

    def __init__(self, recorder: Recorder, whole: str | None = None) -> None:
        self._recorder = recorder
        self._whole = whole
        self._scopes: dict[InstrumentationScope, int] = {}
        self._last_scope: tuple[InstrumentationScope | None, int] = None, 0
        self._begun: dict[int, tuple[Any, ...]] = {}

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002 - the signature
        """Keep a span as it begins, so that it can be ended for a process that was killed."""
        context = span.get_span_context()
        if context is None or not (context.trace_flags & _SAMPLED or self._is_whole(span)):
            return
        begin = self._begun[context.span_id] = self._begin(span, context)
        span_id, name, kind, start, scope = begin[1], span.name, _kind(span.kind), begin[-2], begin[-1]
        fields = [*begin[:-2], name, kind, start, 0, self._attributes(span.attributes), scope]
        if span.links:
            fields += [0, "", [], self._links(span)]
        self._recorder.open_span(span_id, _encoded(fields))

    def on_end(self, span: ReadableSpan) -> None:
        """Write a span that has ended."""
        context = span.get_span_context()
        if context is not None and (context.trace_flags & _SAMPLED or self._is_whole(span)):
            begin = self._begun.pop(context.span_id, None) or self._begin(span, context)
            span_id, name, kind, start, scope = begin[1], span.name, _kind(span.kind), begin[-2], begin[-1]
            fields = [
                *begin[:-2], name, kind, start, span.end_time or 0, self._attributes(span.attributes), scope,
                *self._ended(span),
            ]  # fmt: skip
            self._recorder.end_span(span_id, _encoded(fields))
        if self._recorder.collect is not None:
            self._recorder.collect()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the signature of the SDK's
        """Bring what was recorded to the disk."""
        self._recorder.sync()
        return True

    def _is_whole(self, span: ReadableSpan) -> bool:
        scope = span.instrumentation_scope
        return scope is not None and scope.name == self._whole

    def _scope(self, scope: InstrumentationScope | None) -> int:
        if scope is None:
            return self._recorder.scope("", None, None, None)
        last, number = self._last_scope  # one tracer begins many spans in a row, and to find a scope takes its hash
        if last is not scope:
            found = self._scopes.get(scope)
            if found is None:
                found = self._scopes[scope] = self._recorder.scope(
                    scope.name, scope.version, scope.schema_url, scope.attributes
                )
            number = found
            self._last_scope = scope, number
        return number

    def _begin(self, span: ReadableSpan, context: SpanContext) -> tuple[Any, ...]:
        """Return what of a span never changes: the first fields of its frame, its start in ns, and its scope."""
        parent = span.parent
        flags = int(context.trace_flags) | _REMOTE_KNOWN | (_REMOTE if parent is not None and parent.is_remote else 0)
        state = context.trace_state
        return (
            context.trace_id.to_bytes(16, "big"),
            context.span_id.to_bytes(8, "big"),
            parent.span_id.to_bytes(8, "big") if parent is not None else b"",
            flags,
            state.to_header() if state else "",
            span.start_time or 0,
            self._scope(span.instrumentation_scope),
        )

    def _attributes(self, attributes: Mapping[str, Any] | None) -> Mapping[str, Any]:
        if not attributes:
            return {}
        # The SDK's own mappings take a lock for every look at them: copied first, judged then.
        copied = attributes.copy() if isinstance(attributes, _COPYABLE) else dict(attributes)
        return self._recorder.redact(copied)

    def _ended(self, span: ReadableSpan) -> list[Any]:
        events = [(event.timestamp, event.name, self._attributes(event.attributes)) for event in span.events]
        return [
            0 if (status := span.status).status_code is StatusCode.UNSET else _STATUS.get(status.status_code, 0),
            status.description or "",
            events,
            self._links(span),
            span.dropped_attributes,
            span.dropped_events,
            span.dropped_links,
        ]

    def _links(self, span: ReadableSpan) -> list[Any]:
        return [
            (
                link.context.trace_id.to_bytes(16, "big"),
                link.context.span_id.to_bytes(8, "big"),
                link.context.trace_state.to_header(),
                self._attributes(link.attributes),
                int(link.context.trace_flags),
            )
            for link in span.links
        ]


def _encoded(fields: list[Any]) -> bytes:
    try:
        payload = frames.encode(fields)
    except (TypeError, ValueError, OverflowError) as error:
        let_through(error)
        payload = frames.encode_clean(fields)
    return payload if len(payload) <= LARGEST_SPAN else frames.encode_clean(_without_the_large(fields))


def _without_the_large(fields: list[Any]) -> list[Any]:
    """Return the fields of a span that is too large: its attributes cut, its events and links left out and counted."""
    attributes, whole = 9, 13
    kept = [*fields]
    kept[attributes] = cut(kept[attributes])
    if len(fields) > whole:
        events, links = fields[whole], fields[whole + 1]
        dropped = [*fields[whole + 2 :], 0, 0, 0][:3]
        kept[whole:] = [[], [], dropped[0], dropped[1] + len(events), dropped[2] + len(links)]
    return kept
