"""The spans of a run, and which of them a backend holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from synapse_otel import semconv

_NAMES: Final = {0: "", 1: "OK", 2: "ERROR"}
_MICROSECOND: Final = 1_000


class SpanSeen(NamedTuple):
    """What is compared of a span. Jaeger's query API has times in microseconds."""

    parent: str
    """Span id in hexadecimal digits; empty for a root."""
    status: str
    """``OK``, ``ERROR`` or empty."""
    start: int
    """Unix time in µs."""
    duration: int
    """In µs."""


class TraceSpans:
    """The spans of the journals of one run in one trace, by span id in hexadecimal digits."""

    def __init__(self, trace_id: str) -> None:
        self.trace_id = trace_id
        self.spans: dict[str, SpanSeen] = {}
        self.names: dict[str, str] = {}
        self._seen: dict[str, int] = {}
        self.different: dict[str, str] = {}
        """By span id, in which way a span differs."""

    def add(self, span: Span) -> None:
        """Add a span; of one that two journals have, as it went on in the second, the last."""
        span_id = span.span_id.hex()
        start, end = span.start_time_unix_nano, span.end_time_unix_nano
        status = _NAMES.get(span.status.code, "")
        self.spans[span_id] = SpanSeen(
            span.parent_span_id.hex(), status, start // _MICROSECOND, (end - start) // _MICROSECOND
        )
        self.names[span_id] = span.name

    def match(self, span_id: str, found: SpanSeen, parents: Iterable[str]) -> None:
        """Compare with a span that the backend holds; it has one of these ``parents``, as its links may tell."""
        expected = self.spans.get(span_id)
        if expected is None:
            return  # a start marker, or of another process that works in this trace
        self._seen[span_id] = self._seen.get(span_id, 0) + 1
        if expected.parent and expected.parent in parents:
            found = found._replace(parent=expected.parent)
        differences = [
            f"{field} {_shown(theirs)} instead of {_shown(ours)}"
            for field, ours, theirs in zip(SpanSeen._fields, expected, found, strict=True)
            if ours != theirs
        ]
        if differences:
            self.different[span_id] = ", ".join(differences)

    @property
    def found(self) -> int:
        """How many spans were found, whether they differ or not."""
        return len(self._seen)

    @property
    def doubles(self) -> list[str]:
        """Ids of the spans that were found more than once."""
        return [span_id for span_id, count in self._seen.items() if count > 1]

    @property
    def missing(self) -> list[str]:
        """Ids of the spans that were not found."""
        return [span_id for span_id in self.spans if span_id not in self._seen]


def is_marker(span: Span) -> bool:
    """Return whether a span is a start marker: those are sent only while they are useful."""
    return any(attribute.key == semconv.SPAN_MARKER for attribute in span.attributes)


def _shown(value: object) -> str:
    return str(value) if value != "" else "none"
