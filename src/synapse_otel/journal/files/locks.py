"""Locks that the kernel releases when their process ends, however it ends.

Every process that shares the file sees them, also in another container or machine. On Linux they are locks of an open
file description, not of a process: code in the process that opens the locked file and closes it again, for example to
pack its folder, does not release the lock. A mapping of the file, which a forked child does not inherit, keeps the
description open: it cannot be closed by number, and a child does not keep the lock of a dead parent.

A POSIX record lock on a later byte identifies the process, which only such a lock can. Without locks of open file
descriptions (macOS, gVisor, 32 bits), a POSIX record lock on the whole file replaces both: a process that closes any
descriptor of the file releases it.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

from synapse_otel._guard import raise_foreign
from synapse_otel.journal.files.descriptors import HeldFile, open_file

_held: Final[set[tuple[int, int, int]]] = set()
"""Process, device and inode of this process's locks: the kernel does not report a process's own POSIX locks."""
_FLOCK: Final = struct.Struct("hhqqi4x")
"""``struct flock`` of Linux with 64 bits."""
_POINTER_BYTES: Final = 8
_SET_LOCK: Final[int | None] = (
    getattr(fcntl, "F_OFD_SETLK", None) if struct.calcsize("P") == _POINTER_BYTES else None  # None on macOS
)
_GET_LOCK: Final = getattr(fcntl, "F_OFD_GETLK", 0)
_BYTES: Final = 1 << 30
"""Number of locked bytes, at the beginning of an empty file..."""
_TELLS_AT: Final = _BYTES
"""... and the next one is locked by the process that has it."""
_PAGE: Final = mmap.PAGESIZE
_DO_NOT_FORK: Final = getattr(mmap, "MADV_DONTFORK", None)
_TAKEN: Final = frozenset({errno.EACCES, errno.EAGAIN})
_UNSUPPORTED: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP})


class FileLock:
    """An exclusive lock on a file, held until `release` or the end of the process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        """The file's; to be set when it is renamed."""
        self._process = 0
        self._identity: tuple[int, int, int] | None = None
        self._file: HeldFile | None = None
        self._mapping: int | None = None
        self._is_of_file = False
        """Whether the lock is one of an open file description."""

    def acquire(self) -> bool:
        """Take the lock; return whether it was free.

        Raises:
            OSError: the file cannot be created or opened.
        """
        if _is_held(self.path):
            return False  # by this process: its POSIX locks would be given again, and released by closing either
        file = HeldFile(self.path, os.O_RDWR | os.O_CREAT)
        try:
            locked = _lock(file.number)
            identity = _identity(os.fstat(file.number))
            # Deleted since it was opened: the next process creates and locks another file.
            if locked is None or not self._stands(identity):
                file.close()
                return False
            self._mapping = _mapped(file.number) if locked else None
            if self._mapping is not None:
                file.close()
                file = HeldFile(self.path, os.O_RDWR)
        except BaseException:
            file.close()
            raise
        self._file, self._is_of_file, self._process, self._identity = file, locked, os.getpid(), identity
        _held.add(identity)
        self._tell()
        return True

    def _tell(self) -> None:
        """Let others know which process has it."""
        if self._is_of_file and self._file is not None:
            try:
                fcntl.lockf(self._file.number, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _TELLS_AT)
            except OSError as error:
                raise_foreign(error)  # then nobody sees which one, but all see that it is taken

    def renew(self) -> None:
        """Take it again if it was lost, for example on a file server, unless another process has it now.

        Raises:
            OSError: the file cannot be opened.
        """
        if self._file is None or self._process != os.getpid():
            return
        if not self._is_of_file:
            _lock_process(self._file.number)
        elif self._mapping is not None:
            with _probe(self.path, os.O_RDWR) as descriptor:
                if _asked(descriptor) is False and _lock(descriptor):
                    _unmap(self._mapping)
                    self._mapping = _mapped(descriptor)
            self._tell()  # closing the descriptor has released it
        else:
            _lock(self._file.number)
            self._tell()

    def _stands(self, identity: tuple[int, int, int]) -> bool:
        try:
            return _identity(self.path.stat()) == identity
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Give the lock back. In the child of a fork, that of its parent stays."""
        file, self._file = self._file, None
        if file is None:
            return
        if self._identity is not None:
            _held.discard(self._identity)
        if self._process == os.getpid():
            if self._mapping is not None:
                _unmap(self._mapping)
            elif self._is_of_file and file.is_open:
                with suppress(OSError):  # a child that was begun without Python's knowledge may have a copy
                    fcntl.fcntl(file.number, _SET_LOCK or 0, _request(fcntl.F_UNLCK))
        self._mapping = None
        file.close()


def is_locked(path: Path) -> bool:
    """Return whether a process, this one or another, holds the lock of a file.

    Raises:
        OSError: the file cannot be opened; `FileNotFoundError` if there is none.
    """
    if _is_held(path):
        return True  # and not opened: to close it again would release a POSIX lock
    with _probe(path) as descriptor:
        found = _asked(descriptor)
        return _try_shared(descriptor) if found is None else found


def holder(path: Path) -> int | None:
    """Return the id of the process that holds the lock of a file; None if there is none, or it is not visible.

    It is visible on 64-bit Linux, if it runs in the same container.
    """
    if _is_held(path):
        return os.getpid()  # and not opened, as above
    try:
        with _probe(path) as descriptor:
            asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, _TELLS_AT, 1, 0)
            kind, _, _, _, pid = _FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
    except (OSError, struct.error):
        return None
    return int(pid) if kind != fcntl.F_UNLCK and pid > 0 else None


@contextmanager
def _probe(path: Path, flags: int = os.O_RDONLY) -> Iterator[int]:
    """Open a file to ask for its lock."""
    descriptor = open_file(path, flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool | None:
    """Lock a file: True by its open description, False by this process; None if another holder has it."""
    if _SET_LOCK is not None:
        try:
            fcntl.fcntl(descriptor, _SET_LOCK, _request(fcntl.F_WRLCK))
        except OSError as error:
            if error.errno in _TAKEN:
                return None
            if error.errno not in _UNSUPPORTED:
                raise
        else:
            return True
    return False if _lock_process(descriptor) else None


def _lock_process(descriptor: int) -> bool:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        raise
    return True


def _asked(descriptor: int) -> bool | None:
    """Return whether the lock is held, without touching it; None if that cannot be queried."""
    if _SET_LOCK is None:
        return None
    try:
        answer = fcntl.fcntl(descriptor, _GET_LOCK, _request(fcntl.F_WRLCK))
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return None
        raise
    return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)


def _try_shared(descriptor: int) -> bool:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _TAKEN:
            return True
        raise
    return False


def _request(kind: int) -> bytes:
    return _FLOCK.pack(kind, os.SEEK_SET, 0, _BYTES, 0)


# --- the mapping that keeps an open file description ---------------------------------------------------


def _mapped(descriptor: int) -> int | None:
    """Map a file that may be empty and is never read; return the address, None if that is impossible."""
    library = _library()
    if library is None:
        return None
    address = library.mmap(None, _PAGE, mmap.PROT_READ, mmap.MAP_PRIVATE, descriptor, 0)
    if address in {None, _FAILED}:
        return None
    if library.madvise(address, _PAGE, _DO_NOT_FORK) != 0:
        _unmap(address)
        return None
    return int(address)


def _unmap(address: int) -> None:
    library = _library()
    if library is not None:
        library.munmap(address, _PAGE)


@cache
def _library() -> Any:
    if _DO_NOT_FORK is None:
        return None
    try:
        library = ctypes.CDLL(None)
        library.mmap.restype = ctypes.c_void_p
        library.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
        library.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        library.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    except (AttributeError, OSError):
        return None  # an interpreter that was linked statically
    return library


_FAILED: Final = ctypes.c_void_p(-1).value


def _is_held(path: Path) -> bool:
    try:
        return _identity(path.stat()) in _held
    except FileNotFoundError:
        return False


def _identity(status: os.stat_result) -> tuple[int, int, int]:
    return os.getpid(), status.st_dev, status.st_ino
