"""How long to leave a server alone that did not take a request."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import random as _random


class Backoff:
    """Exponential back-off with full jitter, so that many shippers do not come back at the same moment.

    The wait is drawn from 0 up to a window that doubles with each failure in a row. What the server asked for
    comes before it: nobody returns earlier, and not all at once.
    """

    def __init__(
        self,
        *,
        first_seconds: float = 1.0,
        limit_seconds: float = 30.0,
        random: Callable[[], float] = _random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with nothing to wait for.

        Args:
            first_seconds: Longest wait after the first failure.
            limit_seconds: Longest wait after any number of failures, unless the server asks for more.
            random: Returns numbers from 0 up to 1.
            clock: Returns seconds that never go back.

        """
        self._first = first_seconds
        self._limit = limit_seconds
        self._random = random
        self._clock = clock
        self.succeeded()

    def succeeded(self) -> None:
        """Forget all failures."""
        self.failures = 0
        self._window = self._first
        self._due = self._clock()

    def failed(self, after_seconds: float | None = None) -> float:
        """Count a failure and return the seconds to wait, at least ``after_seconds``."""
        wait = (after_seconds or 0.0) + self._random() * min(self._window, self._limit)
        self.failures += 1
        self._window = min(self._window * 2, self._limit)
        self._due = self._clock() + wait
        return wait

    def remaining_seconds(self) -> float:
        """Return how many seconds are left to wait; 0 when it may be tried."""
        return max(self._due - self._clock(), 0.0)
