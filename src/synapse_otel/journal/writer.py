"""A journal that is being written: crash-safe memory for one run of one process."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from signal import (
    SIG_BLOCK,
    SIG_SETMASK,
    SIGABRT,
    SIGBUS,
    SIGFPE,
    SIGILL,
    SIGSEGV,
    pthread_sigmask,
    valid_signals,
)
from threading import RLock
from time import time_ns
from typing import Any, Final

from synapse_otel._guard import raise_foreign
from synapse_otel.journal import frames
from synapse_otel.journal.files.locks import FileLock
from synapse_otel.journal.files.segment_files import SegmentFiles, encode_header
from synapse_otel.journal.folder import (
    Run,
    is_gone,
    segment_path,
)
from synapse_otel.journal.frames import HEADER_SIZE, LARGEST_PAYLOAD, Kind
from synapse_otel.journal.segment import RESERVE, NoRoom, Segment
from synapse_otel.semconv.signal import Signal

SEGMENT_SIZE: Final = 4 << 20
_ALL_SIGNALS: Final = valid_signals() - {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV}


class JournalWriter:
    """Appends frames. Safe from threads, from signal handlers that append too, and from exceptions that they raise.

    An append is one copy into a segment: what a call returned from outlives the process. Definitions, and
    spans that are open, stand again at the beginning of every segment.
    """

    def __init__(
        self, folder: Path, run: Run, resource: Mapping[str, Any], *, budget: int, first: Segment, alive: FileLock
    ) -> None:
        """Begin with a segment that is empty, and the lock that says that its process lives, which is held."""
        self.folder = folder
        self.run = run
        self.sequences: list[int] = [0] * len(Signal)
        """By signal, how many records were appended."""
        self.dropped: list[int] = [0] * len(Signal)
        """By signal, how many records could not be kept; they have no number."""
        self.failed: bool = False
        """Records can no longer be kept here."""
        self.closed: bool = False
        self.on_failure: Callable[[OSError], JournalWriter | None] = _no_other
        """Told, once, why records can no longer be kept here; returns the journal that keeps them from now on."""
        self._successor: JournalWriter | None = None
        self._resource = dict(resource)
        self._lock = RLock()
        self._definitions: dict[object, tuple[int, bytes]] = {}
        self._files = SegmentFiles(folder, budget)
        self._alive = alive
        first.write(self._header())
        first.room -= RESERVE
        first.numbers = self.sequences
        self.segment: Segment = first
        """The current segment."""
        self._files.reserve.take()

    # --- appending ----------------------------------------------------------------------------------

    def append(self, kind: int, signal: int, payload: bytes, count: int = 1) -> None:
        """Append a frame with ``count`` records (1 to 255) of a signal."""
        if not self.segment.append(kind, signal, payload, count):
            self._append_slowly(kind, signal, payload, count)

    def _append_slowly(self, kind: int, signal: int, payload: bytes, count: int) -> None:
        """Append where there is no mapped room: in a new segment, or by a system call."""
        with self._lock:
            size = HEADER_SIZE + len(payload)
            segment = self.segment
            if segment.at + size > segment.room:
                if self._rotate(size):
                    self.append(kind, signal, payload, count)
                else:
                    self._append_elsewhere(kind, signal, payload, count)
            elif segment.is_mapped:
                self.append(kind, signal, payload, count)
            elif not self._append_by_call(kind, signal, payload, count):
                self._append_elsewhere(kind, signal, payload, count)

    def _append_by_call(self, kind: int, signal: int, payload: bytes, count: int) -> bool:
        """Append with ``write(2)``; signals wait, so that a number is taken and its record written as one."""
        before = pthread_sigmask(SIG_BLOCK, ())
        try:
            pthread_sigmask(SIG_BLOCK, _ALL_SIGNALS)
            sequence = self.sequences[signal]
            self.sequences[signal] = sequence + count
            try:
                self.segment.write(frames.frame(kind, payload, count, sequence))
            except OSError as error:
                if self.sequences[signal] == sequence + count:  # else a signal's handler has taken the next number
                    self.sequences[signal] = sequence
                self._fail(error)
                return False
            return True
        finally:
            pthread_sigmask(SIG_SETMASK, before)

    def _append_elsewhere(self, kind: int, signal: int, payload: bytes, count: int) -> None:
        if self._successor is not None:
            self._successor.append(kind, signal, payload, count)
        else:
            self.dropped[signal] += count

    def define(self, key: object, kind: int, payload: bytes) -> None:
        """Append a definition, and repeat it in every further segment until `forget`."""
        with self._lock:
            self._definitions[key] = (kind, payload)
            if not self._put(kind, payload) and self._successor is not None:
                self._successor.define(key, kind, payload)

    def undisturbed(self) -> AbstractContextManager[object]:
        """Return a context in which no new segment is begun by another thread, nor a definition added."""
        return self._lock

    def forget(self, key: object) -> None:
        """Stop repeating a definition."""
        with self._lock:
            self._definitions.pop(key, None)

    def sync(self) -> None:
        """Return when all that was appended is on the disk. Nobody else has to wait for it."""
        try:
            with self._lock:
                self._notice_deletion()
                with self._files.reserve:
                    unsynced = self._files.unsynced(self.segment)
            if unsynced is not None:
                self._files.sync(unsynced)
                with self._lock:
                    if not self.closed:
                        self._files.reserve.take()
        except OSError as error:
            raise_foreign(error)
            with self._lock:
                self._fail(error)

    def _notice_deletion(self) -> None:
        """Go on elsewhere if somebody has deleted the journal: it can still be written, and nobody would read it."""
        path = segment_path(self.folder, self._files.number)
        if not self.failed and is_gone(path):
            self._fail(FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)))

    def hold_on(self) -> None:
        """See that the lock is still held which says that the process lives."""
        with self._lock:
            if not self.closed:
                try:
                    self._alive.renew()
                except OSError as error:
                    raise_foreign(error)  # the folder cannot be reached now

    def flush(self) -> None:
        """Ask the shipper to send at once what was appended."""
        with self._lock:
            self._notice_deletion()
            self._put(Kind.FLUSH, frames.encode((time_ns(),)))

    def close(self) -> None:
        """Write the end, bring all to the disk and let go of the lock. A second call does nothing."""
        if os.getpid() != self.run.process:
            self.abandon()
            return
        with self._lock:
            if self.closed:
                return
            nothing = NoRoom()
            self.closed = True
            segment, self.segment = self.segment, nothing
            segment.room = -1  # for who has looked it up already, and appends after the end else
            if not self.failed:
                self._files.finish(segment, self._end(continued=False))
            self._alive.release()

    def abandon(self) -> None:
        """Let go of everything and touch nothing: in the child of a fork."""
        self._lock = RLock()
        if not self.closed:
            self.closed = True
            segment, self.segment = self.segment, NoRoom()
            segment.abandon()
            self._files.reserve.release()
            self._alive.release()

    # --- segments -----------------------------------------------------------------------------------

    def _put(self, kind: int, payload: bytes) -> bool:
        """Append a frame without records; return False if there is no room for it."""
        size = HEADER_SIZE + len(payload)
        while True:
            segment = self.segment
            if segment.append(kind, 0, payload, 0):
                return True
            if segment.at + size > segment.room:
                if not self._rotate(size):
                    return False
            elif not segment.is_mapped:
                try:
                    segment.write(frames.frame(kind, payload))
                except OSError as error:
                    raise_foreign(error)
                    self._fail(error)
                    return False
                return True

    def _end(self, *, continued: bool) -> bytes:
        return frames.frame(Kind.END, frames.encode(frames.End(time_ns(), list(self.sequences), continued)))

    def _header(self) -> bytes:
        definitions = list(self._definitions.values())
        return encode_header(self.run, self._resource, time_ns(), list(self.sequences), definitions)

    def _rotate(self, size: int) -> bool:
        """Go on in a new segment with room for ``size`` bytes; return False if there can be none.

        Signals wait meanwhile where they can: a handler that appends would have to begin a segment itself, and in
        a storm of signals none would ever be finished. It is right all the same, as other threads may take them.
        """
        if self.closed or self.failed or size - HEADER_SIZE > LARGEST_PAYLOAD:
            return False
        if self._is_anothers():
            return False
        before = pthread_sigmask(SIG_BLOCK, ())
        try:
            pthread_sigmask(SIG_BLOCK, _ALL_SIGNALS)  # runs handlers of signals that came before
            return self._begin_segment(size)
        finally:
            pthread_sigmask(SIG_SETMASK, before)

    def _is_anothers(self) -> bool:
        """Let go if this is a child whose fork Python was not told of: the file is its parent's, which writes to it."""
        if os.getpid() == self.run.process:
            return False
        self.failed = True
        segment, self.segment = self.segment, NoRoom()
        segment.abandon()
        self._successor = self.on_failure(ChildProcessError(errno.ECHILD, "it is that of the process' parent"))
        return True

    def _begin_segment(self, size: int) -> bool:
        before = self.segment
        # From here on nothing is appended to it, so a reader that sees the next one has read all of it, and what
        # the next one says about the numbers holds. It stays so if this fails: the next append tries again.
        before.room = -1
        header = self._header()
        room = max(SEGMENT_SIZE, len(header) + size + RESERVE)
        try:
            number, following = self._files.make(header, room)
        except OSError as error:
            if error.errno == errno.EFBIG and room > SEGMENT_SIZE:
                return False  # the limit is lower than this one record: the next ones find room
            if self.segment is before:
                self._fail(error)
            return not self.failed
        following.numbers = self.sequences
        if self.segment is before:
            self.segment = following
            self._files.begun(number, before)
        else:
            self._files.discard(number, following)  # a signal's handler has rotated in between
        return True

    def _fail(self, error: OSError) -> None:
        if not self.failed and not self.closed:
            nothing = NoRoom()
            self.failed = True
            segment, self.segment = self.segment, nothing
            segment.room = -1  # for who has looked it up already, and appends after the end else
            self._files.finish(segment, self._end(continued=True))
            self._successor = self.on_failure(error)


def _no_other(_error: OSError) -> None:
    """Stand in for somebody who knows another place for the records."""
