"""Locks that the kernel releases when their process ends, however it ends.

POSIX record locks: not inherited by a child of a fork, seen by every process that shares the file, also from
another container. A process must open a locked file once only: closing any descriptor of it releases the lock.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from pathlib import Path
from typing import Final

_held: Final[set[tuple[int, int, int]]] = set()
"""Process, device and inode of what this process has locked: of its own locks the kernel does not tell."""


class FileLock:
    """An exclusive lock on a file, held until `release` or the end of the process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._identity: tuple[int, int, int] | None = None

    def acquire(self) -> bool:
        """Take the lock; return whether it was free.

        Raises:
            OSError: the file cannot be made or opened.
        """
        if _is_held(self._path):
            return False  # by this process: it would be given again, and released by closing either
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if error.errno in {errno.EACCES, errno.EAGAIN}:
                return False
            raise
        identity = _identity(os.fstat(descriptor))
        if not self._stands(identity):
            os.close(descriptor)
            return False  # deleted since it was opened: whoever comes next makes and locks another file
        self._descriptor = descriptor
        self._identity = identity
        _held.add(self._identity)
        return True

    def _stands(self, identity: tuple[int, int, int]) -> bool:
        try:
            return _identity(self._path.stat()) == identity
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Give the lock back."""
        if self._descriptor is not None:
            if self._identity is not None:
                _held.discard(self._identity)
            os.close(self._descriptor)
            self._descriptor = None


def is_locked(path: Path) -> bool:
    """Say whether a process, this one or another, holds the lock of a file.

    Raises:
        OSError: the file cannot be opened; `FileNotFoundError` where there is none.
    """
    if _is_held(path):
        return True  # and not opened: to close it again would release the lock
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in {errno.EACCES, errno.EAGAIN}:
            return True
        raise
    finally:
        os.close(descriptor)
    return False


def holder(path: Path) -> int | None:
    """Return the id of the process that holds the lock of a file; None where none does, or it is not to be seen.

    It is seen on Linux with 64 bits, and if it runs in the same container.
    """
    if _is_held(path):
        return os.getpid()  # and not opened, as above
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = _FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
    except (OSError, struct.error):
        return None
    finally:
        os.close(descriptor)
    return int(pid) if kind != fcntl.F_UNLCK and pid > 0 else None


_FLOCK: Final = struct.Struct("hhqqi4x")
"""``struct flock`` of Linux with 64 bits."""


def _is_held(path: Path) -> bool:
    try:
        return _identity(path.stat()) in _held
    except FileNotFoundError:
        return False


def _identity(status: os.stat_result) -> tuple[int, int, int]:
    return os.getpid(), status.st_dev, status.st_ino
