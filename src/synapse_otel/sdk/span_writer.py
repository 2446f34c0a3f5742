"""Writes spans to the journal: what each has in common with its end when it begins, and the whole when it ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from opentelemetry.trace import DEFAULT_TRACE_STATE, SpanContext, TraceState

from synapse_otel._guard import let_through
from synapse_otel.journal import frames
from synapse_otel.sdk.oversize import LARGEST_SPAN, cut
from synapse_otel.sdk.recorder import Recorder

_REMOTE_KNOWN: Final = 0x100
_REMOTE: Final = 0x200
_SPAN_ID: Final = 1
_ATTRIBUTES: Final = 9
_WHOLE: Final = 13
"""Fields of a frame before its events and links."""

SpanBegin = tuple[bytes, bytes, bytes, int, str, int, int]
"""What of a span never changes: the first fields of its frame, its start in ns, and the number of its scope."""
Attributes = Mapping[str, Any]
"""Attributes that nobody changes any more."""


class SpanWriter:
    """Writes the frames of spans; values of secret keys are taken out."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder: Final = recorder
        self._redact = recorder.redact

    def opened(
        self,
        context: SpanContext,
        parent: SpanContext | None,
        start: int,
        scope: int,
    ) -> SpanBegin:
        """Return what of a span never changes; ``start`` is its Unix time in ns."""
        trace_id, span_id, _, flags, state, _ = context
        if parent is None:
            parent_id, known = b"", int(flags) | _REMOTE_KNOWN
        else:
            parent_id = parent[1].to_bytes(8, "big")
            known = int(flags) | (_REMOTE_KNOWN | _REMOTE if parent[2] else _REMOTE_KNOWN)
        header = "" if state is DEFAULT_TRACE_STATE else _header(state)
        return trace_id.to_bytes(16, "big"), span_id.to_bytes(8, "big"), parent_id, known, header, start, scope

    def write_open(
        self, begin: SpanBegin, name: str, kind: int, attributes: Attributes, links: Iterable[tuple[Any, ...]]
    ) -> None:
        """Write a span as it begins, so that it can be ended for a process that was killed."""
        trace_id, span_id, parent_id, flags, state, start, scope = begin
        kept = self._redact(attributes) if attributes else attributes
        shown = name if type(name) is str else str(name)
        fields: list[Any] = [trace_id, span_id, parent_id, flags, state, shown, kind, start, 0, kept, scope]
        if links:
            fields += [0, "", [], self._links(links)]
        self.recorder.open_span(span_id, _encoded(fields))

    def write_ended(
        self,
        begin: SpanBegin,
        name: str,
        kind: int,
        attributes: Attributes,
        *,
        end: int,
        status: tuple[int, str],
        events: Iterable[tuple[int, str, Attributes, int]],
        links: Iterable[tuple[SpanContext, Attributes]],
        dropped: tuple[int, int, int],
    ) -> None:
        """Write a span that has ended.

        Args:
            begin: what `opened` has returned for it.
            name: its name.
            kind: as in OTLP.
            attributes: its attributes.
            end: Unix time in ns.
            status: its code as in OTLP, and what it says.
            events: Unix time in ns, name, attributes, and how many attributes were dropped, of each.
            links: context and attributes of each.
            dropped: how many attributes, events and links were.
        """
        trace_id, span_id, parent_id, flags, state, start, scope = begin
        kept = self._redact(attributes) if attributes else attributes
        shown = name if type(name) is str else str(name)
        fields = [
            trace_id, span_id, parent_id, flags, state, shown, kind, start, end, kept, scope, *status,
            self._events(events) if events else (), self._links(links) if links else (), *dropped,
        ]  # fmt: skip
        self.recorder.end_span(span_id, _encoded(fields))

    def _events(self, events: Iterable[tuple[int, str, Attributes, int]]) -> list[tuple[Any, ...]]:
        redact = self._redact
        return [
            (time, name, redact(attributes), dropped) if dropped else (time, name, redact(attributes))
            for time, name, attributes, dropped in events
        ]

    def _links(self, links: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        return [
            (
                context.trace_id.to_bytes(16, "big"),
                context.span_id.to_bytes(8, "big"),
                _header(context.trace_state),
                self._redact(attributes),
                int(context.trace_flags),
            )
            for context, attributes in links
        ]


def _header(state: object) -> str:
    """Return a trace state as ``tracestate`` has it; nothing for what is none."""
    return state.to_header() if isinstance(state, TraceState) else ""


def _encoded(fields: list[Any]) -> bytes:
    try:
        payload = frames.encode(fields)
    except (TypeError, ValueError, OverflowError) as error:
        let_through(error)
        payload = frames.encode_clean(fields)
    return payload if len(payload) <= LARGEST_SPAN else frames.encode_clean(_without_the_large(fields))


def _without_the_large(fields: list[Any]) -> list[Any]:
    """Return the fields of a span that is too large: its attributes cut, its events and links left out and counted."""
    kept = [*fields]
    kept[_ATTRIBUTES] = cut(kept[_ATTRIBUTES])
    if len(fields) > _WHOLE:
        events, links = fields[_WHOLE], fields[_WHOLE + 1]
        dropped = [*fields[_WHOLE + 2 :], 0, 0, 0][:3]
        kept[_WHOLE:] = [[], [], dropped[0], dropped[1] + len(events), dropped[2] + len(links)]
    return kept
