"""The content of a journal: the frames, their header, and the structures of their payloads.

A segment is a sequence of frames, each a header of 24 bytes and a payload in MessagePack. In a segment that was
allocated in advance, zeros follow::

    offset  size  field
    0       2     mark      0xC1A7, little endian: where to look for the next frame after a damaged one
    2       1     kind      one of `Kind`
    3       1     count     number of the signal's records in the frame, 0 to 255
    4       4     length    of the payload in bytes
    8       8     checksum  XXH3 (64 bits) of the payload, with `seed(kind, count, sequence)` as its seed
    16      8     sequence  number of the frame's first record within its signal

Every structure is an array in MessagePack: fields may be added at the end, never removed or reordered.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from struct import Struct as Packing
from typing import Any, Final

import msgspec
from xxhash import xxh3_64_intdigest

from synapse_otel._guard import guarded
from synapse_otel.semconv.signal import Signal

FORMAT_VERSION: Final = 1
MARK: Final = 0xC1A7
MARK_BYTES: Final = MARK.to_bytes(2, "little")
HEADER: Final = Packing("<HBBIQQ")
HEADER_SIZE: Final = HEADER.size
unpack_head: Final = Packing("<IIQQ").unpack_from
"""Unpacks a `HEADER` whose mark, kind and count are one number: nearly always the same as in the frame before."""
LARGEST_PAYLOAD: Final = 1 << 24
"""A longer length in a header means that the header is damaged."""


class Kind(IntEnum):
    """Kinds of frames. Definitions come again in every segment, so that each can be read alone."""

    SEGMENT = 1
    SCOPE = 2
    SERIES = 3
    SPAN_OPEN = 4
    END = 5
    FLUSH = 6
    JOB = 7
    TEMPLATE = 8
    LOG = 16
    BRIEF = 17
    SAMPLES = 32
    OTLP_METRICS = 33
    SPAN = 48


SIGNAL_OF: Final[dict[int, Signal]] = {
    Kind.LOG: Signal.LOGS,
    Kind.BRIEF: Signal.LOGS,
    Kind.SAMPLES: Signal.METRICS,
    Kind.OTLP_METRICS: Signal.METRICS,
    Kind.SPAN: Signal.TRACES,
}
"""The kinds of records, and their signal. All others are definitions."""


checksum: Final = xxh3_64_intdigest
"""Return the checksum of bytes, begun with a seed: XXH3, 64 bits."""


def seed(kind: int, count: int, sequence: int) -> int:
    """Return the seed of a frame's checksum, so that it covers the header too."""
    return sequence + (kind << 56) + (count << 48)


def frame(kind: int, payload: bytes, count: int = 0, sequence: int = 0) -> bytes:
    """Return a complete frame."""
    check = checksum(payload, seed(kind, count, sequence))
    return HEADER.pack(MARK, kind, count, len(payload), check, sequence) + payload


def reference(trace_id: int, span_id: int, flags: int) -> bytes:
    """Return what names a span in a frame: trace id (16 bytes), span id (8) and flags (1)."""
    return trace_id.to_bytes(16, "big") + span_id.to_bytes(8, "big") + bytes((flags,))


class _Payload(msgspec.Struct, array_like=True, gc=False):
    pass


class Segment(_Payload):
    """First frame of every segment: the journal, and each signal's next sequence number."""

    version: int
    journal: str
    """Id of the journal, 32 hexadecimal digits; with the sequence number the ``log.record.uid``."""
    created: int
    """Unix time in ns."""
    sequences: list[int]
    """By signal, the number of the next record."""
    resource: dict[str, Any]
    schema_url: str = ""
    continues: bool = False
    """The journal continues another one that could no longer be written, whose jobs and spans are still open."""
    destination: str = ""
    """Key of the destination that the journal is for: should ``run.json`` be damaged."""


class Scope(_Payload):
    """An instrumentation scope, referred to by a number from here on."""

    id: int
    name: str
    version: str = ""
    schema_url: str = ""
    attributes: dict[str, Any] = {}


class Series(_Payload):
    """A time series (an instrument with one set of attributes), referred to by a number from here on."""

    id: int
    scope: int
    instrument: str
    """``gauge``: each sample is a point. ``counter``, ``updowncounter``, ``histogram``: to be summed up."""
    name: str
    unit: str
    description: str
    attributes: dict[str, Any]
    bounds: list[float] = []


class Log(_Payload):
    """A log record."""

    time: int
    """Unix time in ns."""
    severity: int
    severity_text: str | None
    event_name: str | None
    body: Any
    attributes: dict[str, Any]
    span: bytes
    """Trace id (16 bytes), span id (8) and flags (1), or empty."""
    scope: int
    observed: int = 0
    """Unix time in ns at which it was observed; 0 means at `time`."""


class Template(_Payload):
    """The common part of the log records of one kind, referred to by a number from here on."""

    id: int
    scope: int
    severity: int
    severity_text: str | None
    event_name: str | None
    attributes: dict[str, Any]
    span: bytes
    """As in `Log`."""
    prefix: str
    """Prefix of the keys of the records' own attributes."""


class Brief(_Payload):
    """A log record in brief: by its template."""

    time: int
    """Unix time in ns."""
    template: int
    body: str | None
    data: dict[str, Any] | None
    """Attributes of this record alone, their keys without the template's prefix."""


class Samples(_Payload):
    """Values of several series at one time."""

    time: int
    """Unix time in ns."""
    values: list[float]
    """Number of a series, its value, the next series' number, its value..."""
    span: bytes = b""
    """Trace id (16 bytes) and span id (8) of the span in which a histogram's value was measured; else empty."""


class Job(_Payload):
    """A job that runs, or, with an `end`, has ended. It does not hang on its span, which a sampler may have dropped."""

    key: bytes
    """8 bytes, which the state block's slots name the job by: the id of its span."""
    start: int
    """Unix time in ns."""
    attributes: dict[str, Any]
    """Of every metric of the job."""
    category: str
    span: bytes
    """Trace id (16 bytes), span id (8) and flags (1); empty if there is none."""
    scope: int
    own: bool = True
    """The journal's process runs the job; false in a forked process, or one that received the job's context."""
    end: int = 0
    """Unix time in ns; 0 while it runs."""


class Link(_Payload):
    """A link of a span."""

    trace_id: bytes
    span_id: bytes
    trace_state: str
    attributes: dict[str, Any]
    flags: int = 0


class SpanEvent(_Payload):
    """An event of a span."""

    time: int
    name: str
    attributes: dict[str, Any]
    dropped_attributes: int = 0


class Span(_Payload):
    """A span: as it began (kind ``SPAN_OPEN``, `end` is 0) or complete (kind ``SPAN``)."""

    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    """8 bytes, or empty for a root."""
    flags: int
    trace_state: str
    name: str
    kind: int
    """As in OTLP: 1 internal, 2 server, 3 client, 4 producer, 5 consumer."""
    start: int
    end: int
    attributes: dict[str, Any]
    scope: int
    status: int = 0
    """As in OTLP: 0 unset, 1 ok, 2 error."""
    status_message: str = ""
    events: list[SpanEvent] = []
    links: list[Link] = []
    dropped_attributes: int = 0
    dropped_events: int = 0
    dropped_links: int = 0


class End(_Payload):
    """The process closed its journal properly; nothing follows."""

    time: int
    sequences: list[int] = []
    """By signal, the number that the next record would have had."""
    continued: bool = False
    """The run continues in another journal, because this one could no longer be written."""


class Flush(_Payload):
    """A caller waits: everything before this frame is to be sent at once."""

    time: int


STRUCTURES: Final[dict[int, type[_Payload]]] = {
    Kind.SEGMENT: Segment,
    Kind.SCOPE: Scope,
    Kind.SERIES: Series,
    Kind.SPAN_OPEN: Span,
    Kind.END: End,
    Kind.FLUSH: Flush,
    Kind.JOB: Job,
    Kind.TEMPLATE: Template,
    Kind.LOG: Log,
    Kind.BRIEF: Brief,
    Kind.SAMPLES: Samples,
    Kind.SPAN: Span,
}
"""By kind. The payload of ``OTLP_METRICS`` is not a structure: it is an OTLP ``ResourceMetrics`` message
with ``scope_metrics`` only, to which its resource is added later."""

DECODERS: Final[dict[int, msgspec.msgpack.Decoder[Any]]] = {
    kind: msgspec.msgpack.Decoder(structure) for kind, structure in STRUCTURES.items()
}


BareFrame = tuple[int, int, int, bytes, int]
"""Kind, count, sequence number and payload of a frame that was read, and the offset after it."""


def bare_frame(data: bytes, place: int, start: int) -> BareFrame:
    """Return the complete frame at a place of ``data``, which is at offset ``start`` of its segment."""
    head, length, _check, sequence = unpack_head(data, place)
    begin = place + HEADER_SIZE
    end = begin + length
    return head >> 16 & 0xFF, head >> 24, sequence, data[begin:end], start + end


def encode_clean(value: object) -> bytes:
    """Encode any payload: text is made valid, unknown objects become their ``repr``."""
    return _ENCODER.encode(clean(value))


def clean(value: object, depth: int = 8) -> Any:  # noqa: PLR0911 - one return a type
    """Convert ``value`` for MessagePack: no lone surrogates, no integer over 64 bits, no unknown object."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float | bytes):
        return float(value) if isinstance(value, float) else bytes(value)  # what numpy has made is one of a subclass
    if isinstance(value, int):
        return int(value) if -(1 << 63) <= value < 1 << 64 else str(value)
    if isinstance(value, msgspec.Struct):
        return [clean(field, depth) for field in msgspec.structs.astuple(value)]
    if depth and isinstance(value, dict):
        return {clean(shown(key, str)): clean(item, depth - 1) for key, item in value.items()}
    if depth and isinstance(value, list | tuple):
        return [clean(item, depth - 1) for item in value]
    return clean(shown(value, repr))


def shown(value: object, by: Callable[[object], str]) -> str:
    """Return a value as text ``by`` `str` or `repr`, even if they raise: it is nested too deep, or its class fails."""
    return guarded(by, value, otherwise=lambda _error: f"<{type(value).__name__} that cannot be shown>")


_ENCODER: Final = msgspec.msgpack.Encoder()
encode: Final = _ENCODER.encode
"""Encode a structure, or a tuple of the same shape, which is faster to create."""


def read_header(path: Path) -> Segment | None:
    """Return the first frame of a segment; None if it cannot be read, or another frame comes first."""
    try:
        with path.open("rb") as file:
            mark, kind, count, length, check, sequence = HEADER.unpack(file.read(HEADER_SIZE).ljust(HEADER_SIZE, b"\0"))
            if mark != MARK or kind != Kind.SEGMENT or length > LARGEST_PAYLOAD:
                return None
            payload = file.read(length)
        if checksum(payload, seed(kind, count, sequence)) != check:
            return None
        structure: Segment = DECODERS[Kind.SEGMENT].decode(payload)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return structure


class Templates:
    """The templates that a reader has seen."""

    def __init__(self) -> None:
        self._known: dict[int, Template] = {}

    def take(self, template: Template) -> None:
        """Add a template."""
        self._known[template.id] = template

    def whole(self, brief: Brief) -> Log | None:
        """Return the complete record of a brief one; None if its template is damaged."""
        template = self._known.get(brief.template)
        return None if template is None else whole(brief, template)


def whole(brief: Brief, template: Template) -> Log:
    """Return the complete record of a brief one."""
    attributes = template.attributes.copy()
    if brief.data:
        prefix = template.prefix
        for key, value in brief.data.items():
            attributes[prefix + key] = value
    return Log(
        brief.time,
        template.severity,
        template.severity_text,
        template.event_name,
        brief.body,
        attributes,
        template.span,
        template.scope,
    )
