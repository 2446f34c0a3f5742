"""Log records as OTLP: the hot way, as a job may write hundreds of thousands of them.

See `opentelemetry/proto/logs/v1/logs.proto`.
"""

from __future__ import annotations

import struct
from typing import Any, Final

from synapse_otel.journal.frames import Log
from synapse_otel.otlp.encode.values import STRING, any_value, attributes
from synapse_otel.otlp.encode.wire import (
    DELIMITED,
    FIXED32,
    FIXED64,
    VARINT,
    Cache,
    delimited,
    tag,
    text,
    unsigned64,
    utf8,
    varint,
)
from synapse_otel.semconv import LOG_RECORD_UID

SPAN_REFERENCE_SIZE: Final = 25
"""Bytes of a trace id, a span id and the trace flags."""
HIGHEST_SEVERITY: Final = 24

TIME: Final = tag(1, FIXED64)[0]
OBSERVED_TIME: Final = tag(11, FIXED64)[0]
SEVERITY: Final = tag(2, VARINT)[0]
_SEVERITY_TEXT: Final = tag(3, DELIMITED)
_BODY: Final = tag(5, DELIMITED)
ATTRIBUTES: Final = tag(6, DELIMITED)
_FLAGS: Final = tag(8, FIXED32)
_TRACE_ID: Final = tag(9, DELIMITED)
_SPAN_ID: Final = tag(10, DELIMITED)
_EVENT_NAME: Final = tag(12, DELIMITED)
_PACK_HEAD: Final = struct.Struct("<BQBQBB").pack


def log_record(log: Log, uid: str) -> bytes:
    """Return the body of a ``LogRecord``.

    Args:
        log: The record as it stands in the journal. A severity that OpenTelemetry does not define is left
            unspecified; a time before 1970 becomes 0.
        uid: The record's ``log.record.uid``, by which a record that was sent twice is known.

    """
    time = log.time
    observed = log.observed or time
    severity = log.severity
    if not 0 <= severity <= HIGHEST_SEVERITY:
        severity = 0
    try:
        head = _PACK_HEAD(TIME, time, OBSERVED_TIME, observed, SEVERITY, severity)
    except struct.error:
        head = _PACK_HEAD(TIME, unsigned64(time), OBSERVED_TIME, unsigned64(observed), SEVERITY, severity)
    raw_uid = uid.encode()
    return b"".join(
        (
            head,
            SEVERITY_TEXTS[log.severity_text],
            _body(log.body),
            attributes(ATTRIBUTES, log.attributes),
            UID_HEADS[len(raw_uid)],
            raw_uid,
            SPANS[log.span],
            EVENT_NAMES[log.event_name],
        )
    )


def _body(body: Any) -> bytes:
    if type(body) is str:
        raw = utf8(body)
        return TEXT_BODY_HEADS[len(raw)] + raw
    return b"" if body is None else delimited(_BODY, any_value(body))


def _text_body_head(length: int) -> bytes:
    string = STRING + varint(length)
    return _BODY + varint(len(string) + length) + string


def _uid_head(length: int) -> bytes:
    """Return all of the attribute's field but the uid: a message with a text of that length, less the text."""
    return attributes(ATTRIBUTES, {LOG_RECORD_UID: "-" * length})[: -length or None]


def _span(span: bytes) -> bytes:
    if len(span) != SPAN_REFERENCE_SIZE:
        return b""
    flags = _FLAGS + span[24:] + b"\0\0\0" if span[24] else b""
    return delimited(_TRACE_ID, span[:16]) + delimited(_SPAN_ID, span[16:24]) + flags


SEVERITY_TEXTS: Final = Cache[str | None](lambda name: text(_SEVERITY_TEXT, name), 256)
EVENT_NAMES: Final = Cache[str | None](lambda name: text(_EVENT_NAME, name), 256)
TEXT_BODY_HEADS: Final = Cache[int](_text_body_head, 1024)
UID_HEADS: Final = Cache[int](_uid_head, 256)
SPANS: Final = Cache[bytes](_span, 256)
