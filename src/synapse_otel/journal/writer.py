"""A journal that is being written: crash-safe memory for one run of one process."""

from __future__ import annotations

import mmap
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import RLock
from time import time, time_ns
from typing import Any, Final
from zlib import crc32

import msgspec

from synapse_otel.journal import frames
from synapse_otel.journal.folder import (
    ALIVE_LOCK,
    RUN_FILE,
    STATE_FILE,
    Run,
    folder_size,
    make_root,
    new_folder_name,
    segment_numbers,
    segment_path,
)
from synapse_otel.journal.frames import FORMAT_VERSION, HEADER_SIZE, MARK, Kind, Signal
from synapse_otel.journal.locks import FileLock
from synapse_otel.journal.segment import Segment, allocate, open_segment
from synapse_otel.journal.state import BLOCK_SIZE

SEGMENT_SIZE: Final = 4 << 20
_pack: Final = frames.HEADER.pack


class JournalWriter:
    """Appends frames. Safe from threads, from signal handlers that append too, and from exceptions that they raise.

    An append is one copy into a segment: what a call returned from outlives the process. Definitions, and
    spans that are open, stand again at the beginning of every segment.
    """

    def __init__(self, folder: Path, run: Run, resource: Mapping[str, Any], *, budget: int, first: Segment) -> None:
        self.folder = folder
        self.run = run
        self.sequences = [0] * len(Signal)
        """By signal, how many records were appended."""
        self.dropped = [0] * len(Signal)
        """By signal, how many records could not be kept; they have no number."""
        self.on_failure: Callable[[OSError], JournalWriter | None] = _no_other
        """Told, once, why records can no longer be kept here; returns the journal that keeps them from now on."""
        self._successor: JournalWriter | None = None
        self._resource = dict(resource)
        self._budget = budget
        self._lock = RLock()
        self._definitions: dict[object, tuple[int, bytes]] = {}
        self._number = 1
        self._segment = first
        self._failed = False
        self._closed = False
        self._write(self._header())

    # --- appending ----------------------------------------------------------------------------------

    def append(self, kind: int, signal: int, payload: bytes, count: int = 1) -> None:
        """Append a frame with ``count`` records (1 to 255) of a signal."""
        sequences = self.sequences
        size = HEADER_SIZE + len(payload)
        while True:
            sequence = sequences[signal]
            crc = crc32(payload, sequence + (kind << 16) + count)
            data = _pack(MARK, kind, count, size - HEADER_SIZE, crc, sequence) + payload
            # From here to the copy stands no call: the interpreter changes threads, and runs signal handlers, only
            # at calls and loops. Who came before has taken the number, and the loop goes round.
            segment = self._segment
            at = segment.at
            end = at + size
            memory = segment.memory
            if end > segment.room or memory is None:
                return self._append_slowly(kind, signal, payload, count)
            if sequences[signal] == sequence:
                sequences[signal] = sequence + count
                segment.at = end
                memory[at:end] = data
                return None

    def _append_slowly(self, kind: int, signal: int, payload: bytes, count: int) -> None:
        """Append where there is no mapped room: in a new segment, or by a system call."""
        with self._lock:
            sequences = self.sequences
            size = HEADER_SIZE + len(payload)
            segment = self._segment
            if segment.at + size > segment.room:
                if self._rotate(size):
                    self.append(kind, signal, payload, count)
                else:
                    self._append_elsewhere(kind, signal, payload, count)
            elif segment.memory is not None:
                self.append(kind, signal, payload, count)
            else:
                sequence = sequences[signal]
                sequences[signal] = sequence + count
                try:
                    segment.write(frames.frame(kind, payload, count, sequence))
                except OSError as error:
                    sequences[signal] = sequence
                    self._fail(error)
                    self._append_elsewhere(kind, signal, payload, count)

    def _append_elsewhere(self, kind: int, signal: int, payload: bytes, count: int) -> None:
        if self._successor is not None:
            self._successor.append(kind, signal, payload, count)
        else:
            self.dropped[signal] += count

    def define(self, key: object, kind: int, payload: bytes) -> None:
        """Append a definition, and repeat it in every further segment until `forget`."""
        with self._lock:
            self._definitions[key] = (kind, payload)
            data = frames.frame(kind, payload)
            if self._segment.at + len(data) > self._segment.room:
                self._rotate(len(data))
            else:
                self._write(data)

    def forget(self, key: object) -> None:
        """Stop repeating a definition."""
        with self._lock:
            self._definitions.pop(key, None)

    def sync(self) -> None:
        """Return when all that was appended is on the disk."""
        with self._lock:
            if self._closed or self._failed:
                return
            try:
                self._segment.sync()
            except OSError as error:
                self._fail(error)

    def flush(self) -> None:
        """Ask the shipper to send at once what was appended."""
        with self._lock:
            data = frames.frame(Kind.FLUSH, frames.encode((time_ns(),)))
            if self._segment.at + len(data) <= self._segment.room or self._rotate(len(data)):
                self._write(data)

    def close(self) -> None:
        """Write the end, bring all to the disk and let go of the lock. A second call does nothing."""
        with self._lock:
            if self._closed:
                return
            self.define("end", Kind.END, frames.encode((time_ns(),)))
            self.sync()
            self._closed = True
            if not self._failed:
                self._segment.close()
            self._segment = _NoRoom()
            self._alive.release()

    def abandon(self) -> None:
        """Let go of everything and touch nothing: in the child of a fork."""
        self._lock = RLock()
        if not self._closed:
            self._closed = True
            self._segment.abandon()
            self._alive.release()
            self._segment = _NoRoom()

    @property
    def failed(self) -> bool:
        """Whether records can no longer be kept here."""
        return self._failed

    @property
    def closed(self) -> bool:
        """Whether the journal was closed."""
        return self._closed

    # --- segments -----------------------------------------------------------------------------------

    def _write(self, data: bytes) -> None:
        try:
            self._segment.write(data)
        except OSError as error:
            self._fail(error)

    def _header(self) -> bytes:
        """Return what every segment begins with: whose it is, where the numbers stand, and all definitions."""
        header = frames.Segment(
            version=FORMAT_VERSION,
            journal=self.run.journal,
            created=time_ns(),
            sequences=list(self.sequences),
            resource=self._resource,
        )
        definitions = [frames.frame(kind, payload) for kind, payload in list(self._definitions.values())]
        return b"".join([frames.frame(Kind.SEGMENT, frames.encode_clean(header)), *definitions])

    def _rotate(self, size: int) -> bool:
        """Go on in a new segment with room for ``size`` bytes; return False if there can be none."""
        if self._closed or self._failed:
            return False
        header = self._header()
        room = max(SEGMENT_SIZE, len(header) + size)
        path = segment_path(self.folder, self._number + 1)
        making = path.with_suffix(".new")
        try:
            self._evict(room)
            making.unlink(missing_ok=True)
            following = open_segment(making, room)
            following.write(header)
        except OSError as error:
            self._fail(error)
            return False
        before = self._segment
        try:
            making.rename(path)
            self._segment = following
            self._number += 1
        except BaseException:
            # A signal's handler may raise here: the segment that nobody writes must not look like the next one.
            path.unlink(missing_ok=True)
            raise
        before.close()
        return True

    def _evict(self, wanted: int) -> None:
        """Delete the oldest segments as far as the budget demands; the reader counts what was in them."""
        older = [number for number in segment_numbers(self.folder) if number != self._number]
        excess = folder_size(self.folder) + wanted - self._budget
        for number in older:
            if excess <= 0:
                return
            path = segment_path(self.folder, number)
            try:
                excess -= path.stat().st_size
                path.unlink()
            except FileNotFoundError:
                continue  # the shipper has just delivered and deleted it

    def _fail(self, error: OSError) -> None:
        if not self._failed:
            self._failed = True
            self._segment.close()
            self._segment = _NoRoom()
            self._successor = self.on_failure(error)

    # --- making -------------------------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        root: Path,
        name: str,
        resource: Mapping[str, Any],
        *,
        destination: str,
        budget: int,
        keep: bool = False,
        parent: str = "",
        journal_id: str | None = None,
    ) -> tuple[JournalWriter, memoryview]:
        """Make a journal below ``root``; return it, and the home of its state block.

        Raises:
            OSError: the folder cannot be made or written, or the disk is full; nothing is left behind.
        """
        make_root(root)
        run = Run(
            journal=journal_id or secrets.token_hex(16),
            name=name,
            created=time(),
            process=os.getpid(),
            destination=destination,
            keep=keep,
            parent=parent,
        )
        final = root / new_folder_name(name)
        making = root / f".{final.name}"
        making.mkdir(mode=0o700)
        try:
            alive = FileLock(making / ALIVE_LOCK)
            alive.acquire()
            state = _make_state(making / STATE_FILE)
            first = open_segment(segment_path(making, 1), SEGMENT_SIZE)
            _write_private(making / RUN_FILE, msgspec.json.encode(run))
            journal = cls(final, run, resource, budget=budget, first=first)
            journal._alive = alive  # noqa: SLF001 - of this class
            making.rename(final)
        except OSError:
            for path in making.iterdir():
                path.unlink()
            making.rmdir()
            raise
        return journal, state

    _alive: FileLock


class _NoRoom:
    """A segment that has no room: of a journal that is closed or has failed."""

    room = -1
    at = 0
    memory = None

    def write(self, data: bytes) -> None:
        """Never called with success: there is no room."""

    def sync(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""

    abandon = close


def _make_state(path: Path) -> memoryview:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        if not allocate(descriptor, BLOCK_SIZE):
            # Every page is written once, so that the file system has to find room for it now.
            os.pwrite(descriptor, bytes(BLOCK_SIZE), 0)
            if sys.platform.startswith("linux"):
                os.fsync(descriptor)
        return memoryview(mmap.mmap(descriptor, BLOCK_SIZE))
    finally:
        os.close(descriptor)


def _write_private(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def _no_other(_error: OSError) -> None:
    """Stand in for somebody who knows another place for the records."""
