"""Throttles the shipper: as a thread it shares the interpreter with the job.

Python's threads take turns. A computing thread delays the others for five milliseconds, two of them for ten, and so
does one long call into C. As a thread, the shipper computes in one thread at a time, in slices of about a millisecond,
and sleeps in between, so that a waiting call of the job continues. It creates few objects per slice, so that the
garbage collector, which would scan all objects of the job's process, does not run.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

BATCH_BYTES: Final = 1 << 20
READ_BYTES: Final = 1 << 17


class Throttle:
    """For a separate process, which does not share the interpreter: as fast as possible."""

    batch_bytes = BATCH_BYTES
    """Approximate size of a request."""
    read_bytes = READ_BYTES
    """Bytes to read of a journal at a time."""
    batches = 1
    """Requests in a row that a journal's pipeline may send..."""
    batches_of_ended = 16
    """... for an ended process: the rest of its journal is read without waiting for the next poll."""
    in_job = False
    """Whether the process is the job's own."""

    def rest(self) -> None:
        """Give way, when a piece of work is done."""

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Compute, in this block."""
        yield

    @contextmanager
    def away(self) -> Iterator[None]:
        """Wait for the network, in this block, within one's turn."""
        yield


AT_ONCE: Final = Throttle()


class LowMemoryThrottle(Throttle):
    """For a separate process that has loaded gRPC: less data at a time."""

    batch_bytes = 1 << 19
    read_bytes = 1 << 16


LOW_MEMORY: Final = LowMemoryThrottle()


class InJobThrottle(Throttle):
    """Of a thread in the job's process."""

    batch_bytes = 1 << 19
    read_bytes = 1 << 15
    batches = batches_of_ended = 2
    in_job = True

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._turns = _Turns()
        self._rested = 0.0
        self._is_contended = True

    def rest(self) -> None:
        """Sleep, if it has worked for long enough; longer when the job's threads are busy, so that one comes in."""
        begin = self._clock()
        if begin - self._rested < _PIECE_SECONDS:
            return
        self._sleep(_BUSY_SECONDS if self._is_contended else _FREE_SECONDS)
        self._rested = self._clock()
        # Who wakes while another computes must wait for the interpreter, which takes much longer than the sleep.
        self._is_contended = self._rested - begin > _CONTENDED_SECONDS
        self._turns.pass_on()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Compute, in this block, alone of all threads of the shipper."""
        self._turns.take()
        try:
            yield
        finally:
            self._turns.give_back()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Let the other threads of the shipper compute, in this block."""
        self._turns.give_back()
        try:
            yield
        finally:
            self._turns.take()


class _Turns:
    """A lock that is granted to the longest waiter."""

    def __init__(self) -> None:
        self._guard = Lock()
        self._waiting: deque[Lock] = deque()
        self._taken = False

    def take(self) -> None:
        """Wait for one's turn."""
        with self._guard:
            if not self._taken:
                self._taken = True
                return
            mine = Lock()
            mine.acquire()
            self._waiting.append(mine)
        mine.acquire()

    def give_back(self) -> None:
        """End one's turn: the next one's begins."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False

    def pass_on(self) -> None:
        """Let waiters go first."""
        if self._waiting:
            self.give_back()
            self.take()


_PIECE_SECONDS: Final = 0.0005
_FREE_SECONDS: Final = 0.00005
_BUSY_SECONDS: Final = 0.0005
_CONTENDED_SECONDS: Final = 0.002
