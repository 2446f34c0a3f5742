"""Asks VictoriaLogs for the records of a journal, by their ``log.record.uid``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import msgspec

from synapse_otel.verify.backends.client import BackendError, Client
from synapse_otel.verify.backends.pages import pages
from synapse_otel.verify.logs import JournalLogs, LogSeen

_RECORDS: Final = 100_000
_SECOND: Final = 1_000_000_000
_LONGEST: Final = 6 * 3600 * _SECOND
_FIELDS: Final = '_time, "log.record.uid", severity_number, trace_id, span_id, event_name, _msg'
_ZEROS: Final = "0" * 48


class _Row(msgspec.Struct):
    """A line of the answer."""

    uid: str = msgspec.field(name="log.record.uid", default="")
    time: str = msgspec.field(name="_time", default="")
    severity: str = msgspec.field(name="severity_number", default="0")
    trace_id: str = ""
    span_id: str = ""
    body: str = msgspec.field(name="_msg", default="")
    event_name: str = ""


_decode: Final = msgspec.json.Decoder(_Row).decode


def look_up_logs(client: Client, logs: JournalLogs) -> None:
    """Compare the records of a journal with those in the log store.

    Raises:
        BackendError: it cannot be asked, answers only partly, or with records of another run.
    """
    prefix = f"{logs.journal}-"
    times = logs.times()
    # A record from before 1970 stands there under another time.
    unknown = bool(times) and times[0] <= 0
    ranges = ["_time:>1970-01-01"] if unknown else map(_range, pages([times], most=_RECORDS, longest=_LONGEST))
    for when in ranges:
        query = f'{when} "log.record.uid":="{prefix}"* | fields {_FIELDS}'
        for line in _lines(client, query):
            try:
                row = _decode(line)
                seen = LogSeen(
                    _nanoseconds(row.time),
                    int(row.severity),
                    bytes.fromhex((row.trace_id or _ZEROS[:32]) + (row.span_id or _ZEROS[:16])),
                    row.body,
                    row.event_name,
                )
            except (ValueError, msgspec.MsgspecError):
                raise _unreadable(client, line) from None
            if not row.uid.startswith(prefix):
                raise client.error(f"answered with a record of another run, {row.uid or 'without log.record.uid'}")
            logs.match(row.uid, seen)


def _unreadable(client: Client, line: bytes) -> BackendError:
    return client.error(f"answered only partly, or not in JSON: {line[:80].decode(errors='replace')!r}")


def _lines(client: Client, query: str) -> Iterator[bytes]:
    rest = b""
    for part in client.stream("/select/logsql/query", {"query": query}):
        *lines, rest = (rest + part).split(b"\n")
        yield from lines
    if rest:
        yield rest


def _range(page: tuple[int, int]) -> str:
    begin, end = page
    return f"_time:[{_time(begin)}, {_time(end)})"


def _time(nanoseconds: int) -> str:
    """Return a Unix time in ns as RFC 3339 with nine digits of a second."""
    seconds, fraction = divmod(nanoseconds, _SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{fraction:09}Z"


def _nanoseconds(text: str) -> int:
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return _seconds(whole) * _SECOND + int(fraction.ljust(9, "0"))


@lru_cache(maxsize=1024)
def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}+00:00").timestamp())
