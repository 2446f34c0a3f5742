"""Log records in brief as OTLP: what their template holds is encoded once, a record's own part joined to it.

The same bytes, but for the order of attributes and fields, as `encode_logs.log_record` makes of the whole record.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from functools import partial
from typing import Final

from synapse_otel._compiled import MODE, compare, native
from synapse_otel.journal.frames import DECODERS, HEADER_SIZE, MARK, Brief, Kind, Template, unpack_head
from synapse_otel.otlp.encode import logs as encode_logs
from synapse_otel.otlp.encode.logs import OBSERVED_TIME as _OBSERVED_TIME
from synapse_otel.otlp.encode.logs import TEXT_BODY_HEADS as _TEXT_BODY_HEADS
from synapse_otel.otlp.encode.logs import TIME as _TIME
from synapse_otel.otlp.encode.logs import UID_HEADS as _UID_HEADS
from synapse_otel.otlp.encode.request import RECORD_HEADS
from synapse_otel.otlp.encode.values import DOUBLE, INT, STRING, attribute_head, attributes, pack_double
from synapse_otel.otlp.encode.wire import Cache, unsigned64, utf8, varint
from synapse_otel.redaction import redact_text, redact_values

_PACK_TIMES: Final = struct.Struct("<BQBQ").pack
_decode: Final = DECODERS[Kind.BRIEF].decode
_BRIEF_FRAME: Final = 1 << 24 | Kind.BRIEF << 16 | MARK
"""How the frame of one record begins."""
EncodedRun = tuple[int, bytes, int, int]
"""Scope of some records, the records as fields of its ``Scope*`` message, how many they are, and where the next frame
begins."""
_LARGEST_INT: Final = 1 << 63
_HEADS_KEPT: Final = 256
_LENGTHS_KEPT: Final = 64
_TEXTS_KEPT: Final = 4_096
_LONGEST_KEPT: Final = 64
_LOW_BYTES: Final = tuple(f"{byte:02x}" for byte in range(256))


class BriefEncoder:
    """Encodes the records of a journal whose templates it has taken up."""

    def __init__(self) -> None:
        self._journal, self._journal_bytes = "", b""
        self._uid_block, self._uid_head = -1, ""
        """Sequence numbers but for their last byte, and what the uids of all of these begin with."""
        self._known: dict[int, _Known] = {}
        self._compiled: dict[int, tuple[int, bytes, bytes]] = {}
        """Of the same templates, what the compiled module needs: scope, constant part, and prefix of the keys."""
        self._texts: dict[str, bytes] = {}
        """Texts that came before, redacted and in UTF-8."""

    @property
    def journal(self) -> str:
        """Id of the journal: what uids begin with."""
        return self._journal

    @journal.setter
    def journal(self, journal: str) -> None:
        self._journal, self._journal_bytes, self._uid_block = journal, journal.encode(), -1

    def take(self, template: Template) -> None:
        """Take up a template; the same one comes again in every segment."""
        known = self._known.get(template.id)
        if known is None or known.template != template:
            self._known.pop(template.id, None)
            self._compiled.pop(template.id, None)
            with suppress(ValueError):  # then its records are encoded the long way
                made = self._known[template.id] = _Known(template)
                self._compiled[template.id] = made.scope, made.constant, utf8(template.prefix)

    def run(self, data: bytes, place: int, end: int, sequence: int, replayed: int) -> EncodedRun | None:
        """Encode frames from a place on, as long as they are brief records of one scope.

        What the compiled module refuses is done one by one in Python.

        Args:
            data: Complete frames.
            place: Where the first one to encode begins in them.
            end: Where the last one ends.
            sequence: Number of the next record.
            replayed: Where those end that were delivered before.

        Returns:
            None if the first one is no such record, or nothing can be made of it.
        """
        if native is None:
            return self._run(data, place, end, sequence, replayed, most=end)
        made: EncodedRun | None = native.brief_run(
            data, place, end, sequence, replayed, self._journal_bytes, self._compiled, self._texts
        )
        if made is None:
            return self._run(data, place, end, sequence, replayed, most=1)
        if MODE == "compare":
            compare(made, self._run(data, place, end, sequence, replayed, most=made[2]))
        return made

    def _run(self, data: bytes, place: int, end: int, sequence: int, replayed: int, *, most: int) -> EncodedRun | None:
        fields: list[bytes] = []
        scope = taken = 0
        while taken < most and end - place >= HEADER_SIZE:
            head, length, _check, own = unpack_head(data, place)
            begin = place + HEADER_SIZE
            after = begin + length
            if head != _BRIEF_FRAME or own != sequence + taken or after > end or after <= replayed:
                break
            try:
                brief = _decode(data[begin:after])
                known = self._known[brief.template]
                if taken and known.scope != scope:
                    break
                record = self._encode(brief, known, own)
            except Exception:  # noqa: BLE001 - whatever stands in the frame: the long way counts it
                break
            scope, taken, place = known.scope, taken + 1, after
            fields += (RECORD_HEADS[len(record)], record)
        return (scope, b"".join(fields), taken, place) if taken else None

    def encode(self, brief: Brief, sequence: int) -> bytes:
        """Return the body of a ``LogRecord``.

        Raises:
            KeyError: its template is not known.
        """
        return self._encode(brief, self._known[brief.template], sequence)

    def _encode(self, brief: Brief, known: _Known, sequence: int) -> bytes:
        time = brief.time
        try:
            times = _PACK_TIMES(_TIME, time, _OBSERVED_TIME, time)
        except struct.error:
            time = unsigned64(time)
            times = _PACK_TIMES(_TIME, time, _OBSERVED_TIME, time)
        block = sequence >> 8
        if block != self._uid_block:
            self._uid_block, self._uid_head = block, f"{self._journal}-{block:x}"
        uid = self._uid_head + _LOW_BYTES[sequence & 0xFF] if block else f"{self._journal}-{sequence:x}"
        raw = uid.encode()
        parts = [times, known.constant, _UID_HEADS[len(raw)], raw]
        body = brief.body
        if body is not None:
            raw = self._texts.get(body) or self._text(body)
            parts += (_TEXT_BODY_HEADS[len(raw)], raw)
        data = brief.data
        if data:
            heads = known.heads
            for key, value in data.items():
                kind = type(value)
                if kind is float:
                    parts += (heads[key][0], pack_double(value))
                elif kind is int and 0 <= value < _LARGEST_INT:
                    raw = varint(value)
                    parts += (heads[key][1][len(raw)], raw)
                elif kind is str:
                    raw = self._texts.get(value) or self._text(value)
                    parts += (heads[key][2][len(raw)], raw)
                else:
                    clean = redact_values(value) if kind in _COLLECTIONS else value
                    parts.append(attributes(encode_logs.ATTRIBUTES, {known.template.prefix + key: clean}))
        return b"".join(parts)

    def _text(self, text: str) -> bytes:
        raw = self._texts.get(text)
        if raw is None:
            raw = utf8(redact_text(text))
            if len(text) <= _LONGEST_KEPT:
                if len(self._texts) >= _TEXTS_KEPT:
                    self._texts.clear()
                self._texts[text] = raw
        return raw


_COLLECTIONS: Final = frozenset({list, dict})


class _Known:
    """A template, what of its records is always the same, and the heads of the attributes that are not."""

    __slots__ = ("constant", "heads", "scope", "template")

    def __init__(self, template: Template) -> None:
        self.template = template
        self.scope = template.scope
        self.heads = _Heads(template.prefix)
        if any(key.startswith(template.prefix) for key in template.attributes):
            raise ValueError("a record's own attributes may replace its template's")
        severity = template.severity if 0 <= template.severity <= encode_logs.HIGHEST_SEVERITY else 0
        own = {key: redact_values(value) for key, value in template.attributes.items()}
        self.constant = b"".join(
            (
                bytes((encode_logs.SEVERITY, severity)),
                encode_logs.SEVERITY_TEXTS[template.severity_text],
                attributes(encode_logs.ATTRIBUTES, own),
                encode_logs.SPANS[template.span],
                encode_logs.EVENT_NAMES[template.event_name and redact_text(template.event_name)],
            )
        )


class _Heads(dict[str, tuple[bytes, Cache[int], Cache[int]]]):
    """What stands before an attribute's value, by its key: of a float; of an integer and a text, by their length."""

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self._prefix = prefix

    def __missing__(self, key: str) -> tuple[bytes, Cache[int], Cache[int]]:
        def head(kind: bytes, length: int) -> bytes:
            return encode_logs.ATTRIBUTES + attribute_head((self._prefix + key, kind, length))

        made = head(DOUBLE, 8), Cache(partial(head, INT), 10), Cache(partial(head, STRING), _LENGTHS_KEPT)
        if len(self) >= _HEADS_KEPT:
            self.clear()
        self[key] = made
        return made


__all__ = ["BriefEncoder", "EncodedRun"]
