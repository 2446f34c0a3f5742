"""How far a signal of a journal has been delivered: a separate file, replaced atomically."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import msgspec

from synapse_otel.journal.files.descriptors import open_file
from synapse_otel.journal.reader import Position
from synapse_otel.semconv.signal import Signal

EVICTED: Final = "evicted or damaged"
"""Reason of dropped records that are no longer in the journal."""
_CHECK: Final = re.compile(rb',"crc":(\d+)\}\s*$')
"""The last member of a cursor's object: the CRC-32 of everything before it. Older cursors have none."""


class Cursor(msgspec.Struct):
    """The position of delivery. Delivered, pending and dropped add up to emitted."""

    segment: int = 0
    offset: int = 0
    sequence: int = 0
    """Number of the next record: all before it were delivered or dropped."""
    delivered: int = 0
    """Records that the server has accepted, and start markers that it did not need."""
    withheld: int = 0
    """How many of the delivered ones were start markers of steps that had ended: their spans show the steps."""
    dropped: dict[str, int] = {}
    """Records that will never arrive, by reason."""
    complete: bool = False
    """The journal has ended and nothing of this signal is left."""
    killed: bool = False
    """The journal's process did not end it; known when it is complete, also when the journal has been deleted."""
    attempts: int = 0
    """Requests sent; grows while the server refuses, so that waiting callers can see it."""
    retries: int = 0
    """How many of them were not accepted."""
    size: int = 0
    """Bytes of the requests that were accepted, before compression."""
    exports: list[int] = []
    """How many requests were accepted after how long, by the buckets of `semconv.EXPORT_BUCKETS`..."""
    export_seconds: float = 0.0
    """... and the sum of these times."""
    failure: str = ""
    """Why the last request was not accepted; empty when it was."""
    warnings: list[str] = []
    """The server's warnings on accepted requests."""
    state: dict[str, Any] = {}
    """The state that the signal's pipeline needs to continue: the sums of counters, the last times of series."""

    @property
    def position(self) -> Position:
        """The place in the journal."""
        return Position(self.segment, self.offset)

    def drop(self, counts: dict[str, int]) -> None:
        """Count records that will never arrive, by reason; a negative number if missing ones have been found."""
        for reason, count in counts.items():
            self.dropped[reason] = self.dropped.get(reason, 0) + count
        self.dropped = {reason: count for reason, count in self.dropped.items() if count}


def cursor_path(folder: Path, signal: Signal) -> Path:
    """Return the path of a signal's cursor."""
    return folder / f"cursor-{signal.name.lower()}.json"


def read_cursor(folder: Path, signal: Signal) -> Cursor:
    """Return a signal's cursor; a new one if none can be read, which sends everything again."""
    try:
        data = cursor_path(folder, signal).read_bytes()
        check = _CHECK.search(data)
        if check is not None and crc32(data[: check.start()]) != int(check[1]):
            return Cursor()  # damaged, though it might be read: it would leave out what was never sent
        return msgspec.json.decode(data, type=Cursor)
    except (OSError, ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return Cursor()


def write_cursor(folder: Path, signal: Signal, cursor: Cursor) -> None:
    """Replace a signal's cursor.

    Raises:
        OSError: it cannot be written; the old one is unchanged.
    """
    path = cursor_path(folder, signal)
    making = path.with_suffix(".new")
    descriptor = open_file(making, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    members = msgspec.json.encode(cursor)[:-1]
    data = members + b',"crc":%d}' % crc32(members)
    try:
        written = os.write(descriptor, data)
    finally:
        os.close(descriptor)
    if written != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(making))
    making.replace(path)
