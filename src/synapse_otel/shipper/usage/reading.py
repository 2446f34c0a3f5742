"""The usage of a job's processes, with counters that never fall."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class TreeReading(NamedTuple):
    """The processes of a job, now. Counters include ended children as far as the kernel counts them."""

    user: float
    """CPU seconds."""
    system: float
    memory: int
    """Bytes, resident, all of them added up."""
    memory_peak: int
    """Bytes: as `memory`, with the highest that one of them reached since it was last read."""
    pids: frozenset[int]
    disk_read: int | None
    """Bytes; None: the system does not report it."""
    disk_written: int | None


class Tree(Protocol):
    """The processes of a job: the one that records, and its descendants."""

    root: int
    started: int
    """Unix time in ns at which the root began."""

    def read(self) -> TreeReading | None:
        """Return their usage; None if the root has ended, or another process has its id."""


def is_older(pid: int, seconds: float) -> bool:
    """Return whether a process began before a Unix time: otherwise its id was reused."""
    import psutil

    try:
        return bool(psutil.Process(pid).create_time() <= seconds)
    except psutil.Error:
        return False


class Total:
    """A counter over all processes of a job: it never falls, even if a process exits with its count."""

    def __init__(self, value: float | None = None) -> None:
        """Begin; ``value``: the last reported total."""
        self._told = value or 0
        self._gone: float = 0
        """Counts of exited processes that no parent has waited for."""
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
        """Return the total of whole numbers; None: unknown."""
        return None if value is None else int(self.of(value))
