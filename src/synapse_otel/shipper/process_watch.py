"""Wakes the shipper as soon as a job's process exits.

If the system cannot report the exit (not Linux; a process in another container or machine), polling finds it.
"""

from __future__ import annotations

import os
import select
import struct
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from synapse_otel.journal.files.locks import holder
from synapse_otel.journal.folder import ALIVE_LOCK


class ProcessWatch:
    """Waits, and wakes early when a process has ended or `wake` is called."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._processes: dict[Path, int | None] = {}
        """By folder of its journal, the process's pidfd; None if there is none, or its exit was reported."""
        self._heard, self._woken = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._poll.register(self._heard, select.POLLIN)

    def follow(self, folders: Iterable[Path]) -> None:
        """Wait for the ends of the processes that write these journals, and of no others."""
        wanted = set(folders)
        for folder in self._processes.keys() - wanted:
            self._forget(self._processes.pop(folder))
        for folder in wanted - self._processes.keys():
            self._processes[folder] = found = _process(folder / ALIVE_LOCK)
            if found is not None:
                self._poll.register(found, select.POLLIN)

    def wait(self, seconds: float) -> None:
        """Wait at most for this time."""
        for descriptor, _ in self._poll.poll(seconds * 1000):
            if descriptor == self._heard:
                with suppress(BlockingIOError):
                    os.read(self._heard, _ANY)
            else:
                self._processes = {
                    folder: None if found == descriptor else found for folder, found in self._processes.items()
                }
                self._forget(descriptor)

    def wake(self) -> None:
        """End the wait; safe in a signal handler."""
        with suppress(OSError):  # full: it is woken already; or closed
            os.write(self._woken, b"\0")

    def close(self) -> None:
        """Stop watching all processes."""
        self.follow(())
        self._poll.unregister(self._heard)
        heard, woken = self._heard, self._woken
        self._heard = self._woken = -1  # before they are closed: a signal's handler may wake
        os.close(heard)
        os.close(woken)

    def _forget(self, descriptor: int | None) -> None:
        if descriptor is not None:
            self._poll.unregister(descriptor)
            os.close(descriptor)


def can_watch() -> bool:
    """Return whether the system reports the exit of a process that is not a child."""
    return sys.platform == "linux" and struct.calcsize("P") == _POINTER_BYTES and hasattr(os, "pidfd_open")


def _process(lock: Path) -> int | None:
    """Return a descriptor of the other process that holds a lock; None if there is none, or it is not visible."""
    pid = holder(lock)
    if pid is None or pid == os.getpid():
        return None
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return None
    if holder(lock) == pid:
        return descriptor
    os.close(descriptor)  # it has ended in between, and another process may have its number
    return None


_ANY: Final = 4096
_POINTER_BYTES: Final = 8
"""Of a machine with 64 bits."""
