"""The log records of a journal, and which of them a backend holds: some 50 bytes a record."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Final, NamedTuple
from zlib import crc32

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

_IDS: Final = 24
_MASK: Final = "****"
"""What a Collector's redaction writes over what it takes for a secret: the rest of such a text is not compared."""
_SHOWN: Final = 60


class LogSeen(NamedTuple):
    """What is compared of a log record."""

    time: int
    """Unix time in ns; 0 for one before 1970: a backend then takes the time at which it got the record."""
    severity: int
    span: bytes
    """Trace id (16 bytes) and span id (8); zeros where there is none."""
    body: str | None
    """Empty if there is none; None if it is not a text, which backends write in ways of their own: not compared."""
    event: str
    """Name of the event, empty if there is none."""

    @classmethod
    def of(cls, record: bytes) -> LogSeen:
        """Return it of an encoded ``LogRecord``."""
        made = LogRecord.FromString(record)
        ids = made.trace_id.ljust(16, b"\0") + made.span_id.ljust(8, b"\0")
        is_text = made.body.WhichOneof("value") in {"string_value", None}
        body = made.body.string_value if is_text else None
        return cls(made.time_unix_nano, made.severity_number, ids, body, made.event_name)


class _Known(NamedTuple):
    """What is kept of a recorded log record: digests of its texts."""

    time: int
    severity: int
    span: bytes
    body: int
    event: int

    @classmethod
    def of(cls, record: LogSeen) -> _Known:
        return cls(record.time, record.severity, record.span, _digest(record.body), _digest(record.event))

    def differences(self, found: LogSeen) -> Iterator[str]:
        """Yield what is not as it was recorded, in words."""
        if self.time and found.time != self.time:
            yield f"time {found.time} ns instead of {self.time} ns"
        if found.severity != self.severity:
            yield f"severity {found.severity} instead of {self.severity}"
        if found.span != self.span:
            yield f"span {found.span.hex()} instead of {self.span.hex()}"
        for name, digest, text in (("event name", self.event, found.event), ("body", self.body, found.body or "")):
            if digest and digest != _digest(text) and _MASK not in text:
                shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
                yield f"another {name}, {shown!r}"


def _digest(text: str | None) -> int:
    """Return 32 bits of a text by which it is told from others; 0 for none that could be compared."""
    return 0 if text is None else crc32(text.encode("utf-8", "surrogatepass")) or 1


class JournalLogs:
    """The log records of one journal, by their ``log.record.uid``."""

    def __init__(self, journal: str) -> None:
        self.journal = journal
        self._prefix = f"{journal}-"
        self._first = -1
        self._times = array("q")
        self._severities = bytearray()
        self._spans = bytearray()
        self._bodies = array("I")
        self._events = array("I")
        self._seen = bytearray()
        """By record, how often it was found, up to 255."""
        self._known = bytearray()
        """By number, whether there is such a record on this machine."""
        self._others: dict[str, _Known] = {}
        self._others_seen: dict[str, int] = {}
        self.different: dict[str, str] = {}
        """By uid of the records that differ, in what."""
        self.strange = 0
        """Records in the backend that are not in the journal."""

    # --- what was recorded --------------------------------------------------------------------------

    def add(self, uid: str, record: LogSeen) -> None:
        """Add a record, in the order of the journal."""
        number = self._number(uid)
        if number is None or (self._first >= 0 and number < self._first):
            self._others[uid] = _Known.of(record)
            return
        if self._first < 0:
            self._first = number
        at = number - self._first
        short = at + 1 - len(self._known)
        if short > 0:
            self._times.extend([0] * short)
            self._severities.extend(bytes(short))
            self._spans.extend(bytes(short * _IDS))
            self._bodies.extend([0] * short)
            self._events.extend([0] * short)
            self._known.extend(bytes(short))
            self._seen.extend(bytes(short))
        self._times[at] = record.time
        self._severities[at] = record.severity
        self._spans[at * _IDS : (at + 1) * _IDS] = record.span
        self._bodies[at], self._events[at] = _digest(record.body), _digest(record.event)
        self._known[at] = 1

    @property
    def expected(self) -> int:
        """How many records there are."""
        return self._known.count(1) + len(self._others)

    def times(self) -> array[int]:
        """Return the records' Unix times in ns, in ascending order."""
        found = [time for time, known in zip(self._times, self._known, strict=True) if known]
        found += [one.time for one in self._others.values()]
        found.sort()
        return array("q", found)

    # --- what was found -----------------------------------------------------------------------------

    def match(self, uid: str, found: LogSeen) -> None:
        """Compare with a record that the backend holds."""
        number = self._number(uid)
        at = -1 if number is None or self._first < 0 else number - self._first
        if uid in self._others:
            self._others_seen[uid] = self._others_seen.get(uid, 0) + 1
            expected = self._others[uid]
        elif 0 <= at < len(self._known) and self._known[at]:
            self._seen[at] = min(self._seen[at] + 1, 255)
            span = bytes(self._spans[at * _IDS : (at + 1) * _IDS])
            expected = _Known(self._times[at], self._severities[at], span, self._bodies[at], self._events[at])
        else:
            self.strange += 1
            return
        if differences := ", ".join(expected.differences(found)):
            self.different[uid] = differences

    @property
    def found(self) -> int:
        """How many records were found, whether they differ or not."""
        return len(self._seen) - self._seen.count(0) + len(self._others_seen)

    @property
    def double(self) -> int:
        """How many records were found more than once."""
        once = self._seen.count(0) + self._seen.count(1)
        return len(self._seen) - once + sum(count > 1 for count in self._others_seen.values())

    def missing(self) -> Iterator[tuple[str, int]]:
        """Yield uid and Unix time in ns of the records that were not found."""
        for at, (known, seen) in enumerate(zip(self._known, self._seen, strict=True)):
            if known and not seen:
                yield f"{self._prefix}{self._first + at:x}", self._times[at]
        yield from ((uid, one.time) for uid, one in self._others.items() if uid not in self._others_seen)

    def doubles(self) -> Iterator[str]:
        """Yield the uids of the records that were found more than once."""
        yield from (f"{self._prefix}{self._first + at:x}" for at, seen in enumerate(self._seen) if seen > 1)
        yield from (uid for uid, count in self._others_seen.items() if count > 1)

    def _number(self, uid: str) -> int | None:
        try:
            return int(uid.removeprefix(self._prefix), 16)
        except ValueError:
            return None
