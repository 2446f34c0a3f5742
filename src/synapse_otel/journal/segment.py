"""A segment that is being written: a mapped file with all its room allocated, or one that calls write to.

A mapped page that the disk has no room for would kill the job with SIGBUS, so a segment is mapped only where
the file system has really allocated it.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final, Protocol

from synapse_otel.journal.files.descriptors import HeldFile, MappedFile, above_standard

RESERVE: Final = 128
"""Bytes of every segment that only its end is written to: they are on the disk before they are needed."""
_ZEROS: Final = bytes(RESERVE)
_UNSUPPORTED = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EINTR})
_TRIES = 100


class Segment(Protocol):
    """Room for frames."""

    room: int
    """Bytes that the segment can hold."""
    at: int
    """Bytes that it holds."""

    @property
    def memory(self) -> mmap.mmap | None:
        """The room itself, to be written to directly; None where `write` must be called."""

    def write(self, data: bytes) -> None:
        """Append; the caller has made sure that there is room.

        Raises:
            OSError: it cannot be written.
        """

    def write_end(self, data: bytes) -> None:
        """Append the last frame, at most `RESERVE` bytes, which needs no more room on the disk.

        Raises:
            OSError: it cannot be written.
        """

    def close(self) -> None:
        """Cut off what was not used, and close."""

    def abandon(self) -> None:
        """Let go without touching the file: in the child of a fork."""

    def duplicate(self) -> int | None:
        """Return a descriptor of its own, to bring the segment to the disk while others write, if there is one."""


class MappedSegment:
    """A segment in memory that the kernel writes to the disk: a call copies bytes and is done."""

    __slots__ = ("at", "file", "memory", "room")

    def __init__(self, file: HeldFile, size: int) -> None:
        self.file = file
        self.memory = MappedFile(file.number, size)
        self.room = size
        self.at = 0

    def write(self, data: bytes) -> None:
        """Append: the room is taken and filled without a call in between, so no signal handler comes between."""
        size = len(data)
        at = self.at
        end = at + size
        self.at = end
        self.memory[at:end] = data

    write_end = write

    def duplicate(self) -> int:
        """Return a descriptor of its own."""
        return above_standard(os.dup(self.file.number))

    def close(self) -> None:
        """Cut off what was not used, and close."""
        self.memory.close()
        try:
            os.ftruncate(self.file.number, self.at)
        finally:
            self.file.close()

    def abandon(self) -> None:
        """Let go without touching the file."""
        self.memory.close()
        self.file.close()


class AppendedSegment:
    """A segment that every call writes to, where room cannot be allocated in advance.

    Zeros always follow the last frame: room for the end, which must find some also when the disk is full.
    """

    __slots__ = ("at", "file", "memory", "room")

    def __init__(self, file: HeldFile, size: int) -> None:
        self.file = file
        self.memory = None
        self.room = size
        self.at = 0

    def write(self, data: bytes) -> None:
        """Append.

        Raises:
            OSError: the disk is full; nothing of the frame is left behind, and the room for the end stays.
        """
        size = len(data)
        content = data + _ZEROS
        descriptor = self.file.number
        # As in `JournalWriter.append`: no signal's handler comes between the place being taken and being written to.
        at = self.at
        self.at = at + size
        try:
            written = os.pwrite(descriptor, content, at)
            while written < len(content):
                written += os.pwrite(descriptor, content[written:], at + written)
        except OSError:
            self._take_back(at, size)
            raise

    def _take_back(self, at: int, size: int) -> None:
        if self.at == at + size:  # else a signal's handler has written behind it: a reader passes over what is between
            self.at = at
            with suppress(OSError):  # closed by a signal's handler: nothing is to be put right
                descriptor = self.file.number
                os.pwrite(descriptor, _ZEROS, at)
                os.ftruncate(descriptor, at + RESERVE)

    def write_end(self, data: bytes) -> None:
        """Append the last frame, over the zeros that are kept for it.

        Raises:
            OSError: the disk has failed.
        """
        descriptor = self.file.number
        at = self.at
        self.at = at + len(data)
        os.pwrite(descriptor, data, at)

    def duplicate(self) -> int:
        """Return a descriptor of its own."""
        return above_standard(os.dup(self.file.number))

    def close(self) -> None:
        """Cut off what was not used, and close; who still writes, as a signal's handler did this, gets an `OSError`."""
        try:
            os.ftruncate(self.file.number, self.at)
        finally:
            self.file.close()

    def abandon(self) -> None:
        """Let go without touching the file."""
        self.file.close()


class NoRoom:
    """A segment that has no room: of a journal that is closed or has failed."""

    room = -1
    at = 0
    memory: mmap.mmap | None = None

    def write(self, data: bytes) -> None:
        """Never called with success: there is no room."""

    write_end = write

    def duplicate(self) -> None:
        """Nothing to bring to the disk."""

    def close(self) -> None:
        """Nothing to do."""

    abandon = close


def open_segment(path: Path, size: int) -> MappedSegment | AppendedSegment:
    """Make a segment of ``size`` bytes, mapped if the file system allocates, else appended to.

    Raises:
        OSError: no room on the disk, or the file cannot be made; no file is left behind.
    """
    file = HeldFile(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    try:
        if allocate(file.number, size):
            return MappedSegment(file, size)
        return AppendedSegment(file, size)
    except OSError:
        file.close()
        path.unlink(missing_ok=True)
        raise


def allocate(descriptor: int, size: int) -> bool:
    """Allocate room on the disk; return False where the file system cannot.

    Linux' own ``fallocate`` is asked, as ``posix_fallocate`` of the C library pretends where it cannot.

    Raises:
        OSError: no room.
    """
    fallocate = _fallocate()
    if fallocate is None:
        return False
    for _ in range(_TRIES):
        if fallocate(descriptor, 0, 0, size) == 0:
            return True
        code = ctypes.get_errno()
        if code != errno.EINTR:  # a signal came, whose handler has run by now
            break
    if code in _UNSUPPORTED:
        return False
    raise OSError(code, os.strerror(code))


@cache
def _fallocate() -> ctypes._NamedFuncPointer | None:  # the type's only name
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None, use_errno=True)
    function = getattr(library, "fallocate64", None) or getattr(library, "fallocate", None)
    if function is not None:
        function.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
        function.restype = ctypes.c_int
    return function
