"""Files that are kept open in a host's process.

The host may have closed its standard streams: the next opened file gets their number, and output is written into it.
And the host may close descriptors by number, as daemons do: the file that has the number afterwards is not ours, and
must not be written to, truncated or closed.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

from synapse_otel._guard import raise_foreign

_OWN: Final = 3
"""The first free number: 0, 1 and 2 are the standard streams, open or not."""
_MOST_LOOKED_AT: Final = 1 << 16

Identity = tuple[int, int]


def open_file(path: Path, flags: int, mode: int = 0o600) -> int:
    """Open a file for this process alone, under a number that is not a standard stream's.

    Raises:
        OSError: it cannot be opened.
    """
    return above_standard(os.open(path, flags | os.O_CLOEXEC, mode))


def above_standard(descriptor: int) -> int:
    """Return a descriptor of the same file that is not a standard stream's; the given one may be closed."""
    if descriptor >= _OWN:
        return descriptor
    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _OWN)
    finally:
        os.close(descriptor)


def take_standard() -> list[int]:
    """Open ``/dev/null`` under the numbers of the standard streams that are closed; return those numbers."""
    taken: list[int] = []
    try:
        while (number := os.open(os.devnull, os.O_RDWR)) < _OWN:
            taken.append(number)
        os.close(number)
    except OSError as error:
        raise_foreign(error)  # no descriptor is left
    return taken


@contextmanager
def standard_taken() -> Iterator[None]:
    """Prevent files opened in this context from getting the number of a standard stream."""
    taken = take_standard()
    try:
        yield
    finally:
        for number in taken:
            os.close(number)


def identity_of(descriptor: int) -> Identity | None:
    """Return the identity of an open file: its device and inode; None if nothing is open."""
    try:
        status = os.fstat(descriptor)
    except OSError as error:
        raise_foreign(error)
        return None
    return status.st_dev, status.st_ino


class HeldFile:
    """A file that is kept open, until other code closes it."""

    __slots__ = ("_flags", "_identity", "_number", "path")

    def __init__(self, path: Path, flags: int, mode: int = 0o600) -> None:
        """Open it.

        Raises:
            OSError: it cannot be opened.
        """
        self.path = path
        """Its path, to open it again; must be set when it is renamed."""
        self._number = open_file(path, flags, mode)
        self._flags = flags & ~(os.O_CREAT | os.O_EXCL)
        self._identity = identity_of(self._number)

    @property
    def is_open(self) -> bool:
        """Whether it is still open."""
        return identity_of(self._number) == self._identity

    @property
    def number(self) -> int:
        """Its descriptor, opened again if other code has closed it.

        Raises:
            OSError: it was closed, and cannot be found again.
        """
        if not self.is_open:
            self._number = open_file(self.path, self._flags)
            if identity_of(self._number) != self._identity:
                os.close(self._number)
                raise OSError(errno.EBADF, os.strerror(errno.EBADF), str(self.path))
        return self._number

    def close(self) -> None:
        """Close it, unless other code has."""
        number, self._number = self._number, -1
        if identity_of(number) == self._identity:
            os.close(number)


class MappedFile(mmap.mmap):
    """A memory-mapped file. Before Python 3.13 it has its own descriptor, which other code may close, too."""

    _copy: int | None = None
    _identity: Identity | None = None

    def __new__(cls, descriptor: int, size: int) -> Self:
        """Map a file that has so many bytes.

        Raises:
            OSError: it cannot be mapped.
        """
        if sys.version_info >= (3, 13):
            return super().__new__(cls, descriptor, size, trackfd=False)
        with standard_taken():
            made = super().__new__(cls, descriptor, size)
        made._identity = identity_of(descriptor)
        made._copy = _other_descriptor(descriptor, made._identity)
        return made

    def __init__(self, *_: Any) -> None:
        """All is done in `__new__`."""

    def close(self) -> None:
        """Release the memory."""
        if not self._kept():
            self._copy = None
            super().close()

    def __del__(self) -> None:
        """Release it."""
        self._kept()

    def _kept(self) -> bool:
        """Keep the object for ever if its descriptor was closed: it would close the file that has the number now."""
        lost = self._copy is not None and identity_of(self._copy) != self._identity
        if lost:
            self._copy = None
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self))
        return lost


def _other_descriptor(descriptor: int, identity: Identity | None) -> int | None:
    """Return another descriptor of a file that has two."""
    numbers = (number for number in range(_OWN, _MOST_LOOKED_AT) if number != descriptor)
    return next((number for number in numbers if identity_of(number) == identity), None)


_NEEDED: Final = 2
"""A mapped file takes two."""


class ReserveDescriptors:
    """Reserve descriptors, which are released when others are needed; none at first."""

    def __init__(self) -> None:
        self._descriptors: list[int] = []
        self._identity: Identity | None = None
        """Of the pipe that they are the ends of: no other file is taken for it."""

    def take(self) -> None:
        """Take the missing ones, if the process's limit allows."""
        if len(self._descriptors) == _NEEDED:
            return
        self.release()
        try:
            self._descriptors.extend(os.pipe())
            self._identity = identity_of(self._descriptors[0])
            self._descriptors[:] = map(above_standard, self._descriptors)
        except OSError as error:
            raise_foreign(error)  # none is left now: the next call tries again

    def release(self) -> None:
        """Release them for good, or until the next `take`; not those that the host closed and another file got."""
        while self._descriptors:
            descriptor = self._descriptors.pop()
            if identity_of(descriptor) == self._identity:
                os.close(descriptor)

    def __enter__(self) -> None:
        """Release them for files that are opened in this context."""
        self.release()

    def __exit__(self, *_error: object) -> None:
        """Take others."""
        self.take()
