"""What is read of a job's processes, and how their counters are kept from falling."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class TreeReading(NamedTuple):
    """The processes of a job, now. Counters cover what the kernel knows of children that have ended."""

    user: float
    """CPU seconds."""
    system: float
    memory: int
    """Bytes, resident, all of them added up."""
    memory_peak: int
    """Bytes: as `memory`, with the highest that one of them reached since it was last read."""
    pids: frozenset[int]
    disk_read: int | None
    """Bytes; None where the system does not tell."""
    disk_written: int | None


class Tree(Protocol):
    """The processes of a job: the one that records, and all that it has begun."""

    root: int
    started: int
    """Unix time in ns at which the root began."""

    def read(self) -> TreeReading | None:
        """Return what they use; None when the root is gone, or another process has its number."""


def is_older(pid: int, seconds: float) -> bool:
    """Say whether a process began before a Unix time: else it only has the number of one that did."""
    import psutil

    try:
        return bool(psutil.Process(pid).create_time() <= seconds)
    except psutil.Error:
        return False


class Total:
    """A counter over all processes of a job: it never falls, though a process may take its count with it."""

    def __init__(self, value: float | None = None) -> None:
        """Begin; ``value``: what was told of it before."""
        self._told = value or 0
        self._gone: float = 0
        """What processes have taken with them that nobody has waited for."""
        self._missing = False

    def of(self, value: float) -> float:
        """Return the total; ``value``: the sum over the processes that live and the children they have waited for."""
        missing = self._told - value - self._gone
        if missing <= 0:
            self._told -= missing
        elif self._missing:  # not just a process that ended while it was looked at: its parent would have its count now
            self._gone += missing
        self._missing = missing > 0
        return self._told

    def of_known(self, value: int | None) -> int | None:
        """Return the total of whole numbers; None where it is not known."""
        return None if value is None else int(self.of(value))
