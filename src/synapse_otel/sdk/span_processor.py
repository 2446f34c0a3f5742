"""A span processor that writes the SDK's spans to the journal, when they begin and when they end."""

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

from synapse_otel.journal import frames
from synapse_otel.sdk.recorder import Recorder
from synapse_otel.sdk.span_writer import SpanBegin, SpanWriter

_KINDS: Final = {
    SpanKind.INTERNAL: 1,
    SpanKind.SERVER: 2,
    SpanKind.CLIENT: 3,
    SpanKind.PRODUCER: 4,
    SpanKind.CONSUMER: 5,
}
STATUSES: Final = {StatusCode.UNSET: 0, StatusCode.OK: 1, StatusCode.ERROR: 2}
"""As in OTLP."""
_COPYABLE: Final = (MappingProxyType, BoundedAttributes)
"""What the SDK's spans hold; copied in one step, where ``dict()`` takes them key by key."""
_SAMPLED: Final = int(TraceFlags.SAMPLED)


def otlp_kind(kind: SpanKind) -> int:
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
        self._writer = SpanWriter(recorder)
        self._whole = whole
        self._scopes: dict[InstrumentationScope, int] = {}
        self._last_scope: tuple[InstrumentationScope | None, int] = None, 0
        self._begun: dict[int, SpanBegin] = {}

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002 - the signature
        """Keep a span as it begins, so that it can be ended for a process that was killed."""
        context = span.get_span_context()
        if context is None or not (context.trace_flags & _SAMPLED or self._is_whole(span)):
            return
        begin = self._begun[context.span_id] = self._begin(span, context)
        self._writer.write_open(begin, span.name, otlp_kind(span.kind), _copied(span.attributes), _links(span))

    def on_end(self, span: ReadableSpan) -> None:
        """Write a span that has ended."""
        context = span.get_span_context()
        if context is not None and (context.trace_flags & _SAMPLED or self._is_whole(span)):
            begin = self._begun.pop(context.span_id, None)
            status = span.status
            self._writer.write_ended(
                self._begin(span, context) if begin is None else begin,
                span.name,
                otlp_kind(span.kind),
                _copied(span.attributes),
                end=span.end_time or 0,
                status=(STATUSES.get(status.status_code, 0), status.description or ""),
                events=[
                    (event.timestamp, event.name, _copied(event.attributes), event.dropped_attributes)
                    for event in span.events
                ],
                links=_links(span),
                dropped=(span.dropped_attributes, span.dropped_events, span.dropped_links),
            )
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

    def _begin(self, span: ReadableSpan, context: SpanContext) -> SpanBegin:
        return self._writer.opened(context, span.parent, span.start_time or 0, self._scope(span.instrumentation_scope))


def _copied(attributes: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if not attributes:
        return {}
    # The SDK's own mappings take a lock for every look at them: copied first, judged then.
    return attributes.copy() if isinstance(attributes, _COPYABLE) else dict(attributes)


def _links(span: ReadableSpan) -> list[tuple[SpanContext, Mapping[str, Any]]]:
    return [(link.context, _copied(link.attributes)) for link in span.links]
