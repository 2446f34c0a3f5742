"""The holder of a shipper's lock, in a file next to it, and the holder's last sign of life.

The lock alone decides who may deliver. This file identifies the holder; its modification time is the last sign of life.
"""

from __future__ import annotations

import os
import secrets
import time
from contextlib import suppress
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from synapse_otel.journal.files.locks import is_locked
from synapse_otel.journal.folder import read_json, replace_file
from synapse_otel.journal.liveness import START, boot_and_namespace, stat_fields


def holder_path(lock: Path) -> Path:
    """Return the file that describes the holder of a lock."""
    return lock.with_suffix(".json")


class Role(StrEnum):
    """Where a shipper runs, which decides whether it may be ended."""

    PROCESS = "process"
    """In a separate process, which a job has started: it may be ended."""
    FOREGROUND = "ship"
    THREAD = "thread"
    """In the process of a job, or of ``synapse-otel run``."""
    ONCE = "sync"

    def __str__(self) -> str:
        """Return its name for users."""
        return _WORDS[self]


_WORDS: Final = {
    Role.PROCESS: "the shipper",
    Role.FOREGROUND: "`synapse-otel ship`",
    Role.THREAD: "the shipper in a job's process",
    Role.ONCE: "another `synapse-otel sync`",
}


class Holder(msgspec.Struct, frozen=True):
    """The holder of a lock."""

    process: int
    """Process id..."""
    started: int
    """... and when that process began, in ticks of the kernel's clock since the start of the machine..."""
    place: str
    """... and where both are valid: the boot and the container. Empty if unknown."""
    role: Role
    destination: str
    """Key of the destination that it delivers to."""
    token: str
    """Unique for this hold of the lock."""

    def __str__(self) -> str:
        """Return a description with which a user can find it."""
        return f"{self.role} (process {self.process})"


class SignOfLife:
    """The file that a shipper keeps next to its lock. If it cannot be written, the lock still works."""

    def __init__(self, lock: Path, role: Role, destination: str) -> None:
        """Write the new holder of a lock."""
        process = os.getpid()
        holder = Holder(process, started(process), place(), role, destination, secrets.token_hex(8))
        self._path = holder_path(lock)
        self._data: bytes | None = msgspec.json.encode(holder)
        try:
            replace_file(self._path, self._data)
        except OSError:  # a full disk
            self._data = None

    def beat(self) -> None:
        """Give a sign of life."""
        with suppress(OSError):  # the folder is gone, or cannot be written
            os.utime(self._path)

    def stands(self) -> bool:
        """Return whether the lock has no new holder: a lock lost on a file server is not reported."""
        try:
            return self._data is None or self._path.read_bytes() == self._data
        except FileNotFoundError:
            return False  # taken away by who has replaced this one, and is done
        except OSError:
            return True

    def withdraw(self) -> None:
        """Remove it, before the lock is released."""
        if self._data is not None and self.stands():
            with suppress(OSError):
                self._path.unlink()


def read_holder(lock: Path) -> Holder | None:
    """Return the holder of a lock; None if there is none, or it is unknown."""
    try:
        return read_json(holder_path(lock), Holder) if is_locked(lock) else None
    except OSError:
        return None


def last_sign(lock: Path) -> int:
    """Return when the holder of a lock last gave a sign of life, as Unix time in ns; 0: unknown."""
    try:
        return holder_path(lock).stat().st_mtime_ns
    except OSError:
        return 0


def silent_seconds(lock: Path) -> float:
    """Return for how long the holder of a lock has given no sign of life; 0: unknown."""
    last = last_sign(lock)
    return max(time.time() - last / 1e9, 0.0) if last else 0.0


def started(process: int) -> int:
    """Return when a process began, in ticks since boot; 0: not visible."""
    try:
        return int(stat_fields(process)[START])
    except (OSError, ValueError, IndexError):
        return 0


@cache
def place() -> str:
    """Return a text that identifies the namespace of process ids; empty if unknown."""
    try:
        if os.readlink("/proc/self") != str(os.getpid()):
            return ""  # the processes of another container
        return boot_and_namespace()
    except OSError:
        return ""
