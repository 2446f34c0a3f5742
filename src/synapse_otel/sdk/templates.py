"""Log records in brief: what the records of one call site have in common is written once, as their template."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from synapse_otel._guard import let_through
from synapse_otel.journal import frames
from synapse_otel.journal.frames import Kind
from synapse_otel.journal.segment import NoJournal
from synapse_otel.journal.writer import JournalWriter
from synapse_otel.redaction import KeyRedaction
from synapse_otel.semconv.signal import Signal

DATA_LIMIT: Final = 1_024
"""Bytes of a record with data, encoded; a longer one may have texts to cut, and goes the long way."""
KEY_LIMIT: Final = 256
"""Bytes of a key in UTF-8."""
_BRIEF: Final = int(Kind.BRIEF)
_LOGS: Final = int(Signal.LOGS)
_SIMPLE: Final = frozenset({str, int, float, bool, type(None)})
_encode: Final = frames.encode


class Appends(Protocol):
    """What a recorder gives to those that append: both change when another journal is opened."""

    append: Callable[[int, int, bytes, int], None]
    collect: Callable[[], None] | None
    journal: JournalWriter | NoJournal


class BoundTemplate:
    """A template that has a number: what records are appended for."""

    __slots__ = ("__weakref__", "_plain", "_recorder", "_redact", "_sync", "number", "payload")

    def __init__(
        self,
        number: int,
        payload: bytes,
        recorder: Appends,
        redact: KeyRedaction,
        sync: Callable[[], None] | None,
    ) -> None:
        self.number: int = number
        self.payload: bytes = payload
        self._recorder = recorder
        self._redact = redact
        self._plain = redact.plain
        self._sync = sync

    def append(self, time: int, body: str | None, data: dict[Any, Any] | None) -> bool:
        """Append a record, if it is of the simple kind; return False, and do nothing, if it has to go the long way.

        Args:
            time: Unix time in ns.
            body: The record's text.
            data: Attributes of this record alone, without the prefix that the template gives their keys; nobody else
                changes it meanwhile.
        """
        recorder = self._recorder
        compiled = recorder.journal.segment.append_brief
        if compiled is None or not compiled(time, self.number, body, data, self._plain):
            payload = self._encoded(time, body, data)
            if payload is None:
                return False
            recorder.append(_BRIEF, _LOGS, payload, 1)
        if self._sync is not None:
            self._sync()
        if recorder.collect is not None:
            recorder.collect()
        return True

    def _encoded(self, time: int, body: str | None, data: dict[Any, Any] | None) -> bytes | None:
        """Return a record's payload, None if it is not of the simple kind."""
        if data is not None:
            plain = self._plain
            for key, value in data.items():
                if type(value) not in _SIMPLE or key not in plain:
                    if self._is_simple(data):
                        break
                    return None
        try:
            payload = _encode((time, self.number, body, data))
        except (TypeError, ValueError, OverflowError) as error:
            let_through(error)
            return None
        return payload if data is None or len(payload) <= DATA_LIMIT else None

    def _is_simple(self, data: Mapping[Any, Any]) -> bool:
        """Check new keys, and return whether data can be written unchanged."""
        if not _SIMPLE.issuperset(map(type, data.values())):
            return False
        for key in data:
            if key in self._plain:
                continue
            if (
                type(key) is not str
                or not 0 < len(key.encode("utf-8", "replace")) <= KEY_LIMIT
                or not self._redact.judge(key)
            ):
                return False
        return True
