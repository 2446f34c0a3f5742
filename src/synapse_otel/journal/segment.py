"""A segment that is being written: an allocated and mapped file, or one that is written with system calls.

A mapped page without space on the disk would kill the job with SIGBUS, so a segment is mapped only if the file system
has really allocated it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol

from synapse_otel.journal.files.descriptors import HeldFile, MappedFile, above_standard
from synapse_otel.journal.memory.space import Space

RESERVE: Final = 128
"""Bytes of every segment that only its end is written to: they are on the disk before they are needed."""
_ZEROS: Final = bytes(RESERVE)
_UNSUPPORTED = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EINTR})
_TRIES = 100


class Segment(Protocol):
    """Space for frames."""

    room: int
    """Capacity in bytes."""
    at: int
    """Bytes in use."""
    numbers: list[int] | None
    """By signal, the number of the next record: the journal's."""
    is_mapped: ClassVar[bool]
    """Frames are appended to memory, without a system call."""

    @property
    def append_brief(self) -> Callable[[int, int, str | None, dict[Any, Any] | None, set[str]], bool] | None:
        """As in `PythonSpace`; None where records are encoded in Python."""

    @property
    def append_samples(self) -> Callable[[int, dict[Any, Any], dict[Any, Any]], bool] | None:
        """As in `PythonSpace`; None where samples are encoded in Python."""

    def append(self, kind: int, signal: int, payload: bytes, count: int) -> bool:
        """Append a frame to memory; return False, and do nothing, where there is no room in it or none at all."""

    def write(self, data: bytes) -> None:
        """Append; the caller has checked that there is space.

        Raises:
            OSError: it cannot be written.
        """

    def write_end(self, data: bytes) -> None:
        """Append the last frame, at most `RESERVE` bytes, which needs no more disk space.

        Raises:
            OSError: it cannot be written.
        """

    def close(self) -> None:
        """Truncate to the used size, and close."""

    def abandon(self) -> None:
        """Release it without touching the file: in a forked child."""

    def duplicate(self) -> int | None:
        """Return a duplicate descriptor, to sync the segment while others write; None if there is no file."""


class _InFile:
    """What both kinds of segments do with their file."""

    __slots__ = ()

    file: HeldFile
    at: int

    def duplicate(self) -> int:
        """Return a duplicate descriptor."""
        return above_standard(os.dup(self.file.number))

    def close(self) -> None:
        """Truncate to the used size, and close; an interrupted writer (by a signal handler) gets an `OSError`."""
        try:
            os.ftruncate(self.file.number, self.at)
        finally:
            self.file.close()

    def abandon(self) -> None:
        """Release it without touching the file."""
        self.file.close()


class MappedSegment(Space, _InFile):
    """A segment in memory that the kernel writes to the disk: a call copies bytes and is done."""

    __slots__ = ("_mapping", "file")

    is_mapped: ClassVar[bool] = True

    def __init__(self, file: HeldFile, size: int) -> None:
        mapping = MappedFile(file.number, size)
        super().__init__(mapping, size)
        self.file = file
        self._mapping = mapping

    def write_end(self, data: bytes) -> None:
        """Append the last frame, into the room that is kept for it."""
        self.write(data)

    def close(self) -> None:
        """Truncate to the used size, and close."""
        self.release()
        self._mapping.close()
        super().close()

    def abandon(self) -> None:
        """Release it without touching the file."""
        self.release()
        self._mapping.close()
        super().abandon()


class _Unmapped:
    """A segment that nothing is appended to in memory."""

    __slots__ = ()

    is_mapped: ClassVar[bool] = False
    append_brief = None
    append_samples = None

    def append(self, _kind: int, _signal: int, _payload: bytes, _count: int) -> bool:
        """Return False: there is no memory."""
        return False


class AppendedSegment(_Unmapped, _InFile):
    """A segment that is written with system calls, if space cannot be allocated in advance.

    Zeros always follow the last frame: they reserve space for the end, even if the disk becomes full.
    """

    __slots__ = ("at", "file", "numbers", "room")

    def __init__(self, file: HeldFile, size: int) -> None:
        self.file = file
        self.room = size
        self.at = 0
        self.numbers: list[int] | None = None

    def write(self, data: bytes) -> None:
        """Append.

        Raises:
            OSError: the disk is full; no part of the frame is left behind, and the space for the end remains.
        """
        size = len(data)
        content = data + _ZEROS
        descriptor = self.file.number
        # As in `PythonSpace.append`: no signal's handler comes between the place being taken and being written to.
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
        """Append the last frame, over the zeros that are reserved for it.

        Raises:
            OSError: the disk has failed.
        """
        descriptor = self.file.number
        at = self.at
        self.at = at + len(data)
        os.pwrite(descriptor, data, at)


class NoRoom(_Unmapped):
    """A segment without space: of a closed or failed journal."""

    room = -1
    at = 0
    numbers: list[int] | None = None

    def write(self, data: bytes) -> None:
        """Fail: there is no space."""

    write_end = write

    def duplicate(self) -> None:
        """Nothing to sync."""

    def close(self) -> None:
        """Nothing to do."""

    abandon = close


class NoJournal:
    """Stands where a journal will be."""

    segment: Segment = NoRoom()


def open_segment(path: Path, size: int) -> MappedSegment | AppendedSegment:
    """Create a segment of ``size`` bytes, mapped if the file system can allocate it, else written by calls.

    Raises:
        OSError: no space on the disk, or the file cannot be created; no file is left behind.
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
    """Allocate disk space; return False if the file system cannot.

    Uses Linux's own ``fallocate``, since ``posix_fallocate`` of the C library emulates it if unsupported.

    Raises:
        OSError: no space.
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
