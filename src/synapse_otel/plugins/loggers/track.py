"""How far a category has come, since when, and how fast: plain state, no view."""

from __future__ import annotations

from math import isfinite
from time import monotonic

from synapse_otel.plugins.models.logger import ProgressData

_PERCENT = 100


class Track:
    """The progress of one category.

    Attributes:
        current: items done.
        total: items there are.
        first: items that were done when the track began; the rate counts from there.
        started_seconds: monotonic time at which it began.
        ended_seconds: monotonic time at which it was complete or failed, else None.
        failed: whether it failed.
    """

    __slots__ = ("current", "ended_seconds", "failed", "first", "started_seconds", "total")

    def __init__(self, current: float, total: float) -> None:
        self.current = current
        self.total = total
        self.first = current
        self.started_seconds = monotonic()
        self.ended_seconds: float | None = None
        self.failed = False

    def restarts(self, current: float) -> bool:
        """Say whether ``current`` is the beginning of another pass."""
        return current == 0 or (self.ended_seconds is not None and current < self.current)

    def end(self, *, failed: bool = False) -> None:
        """Stop the clock; a clock that has stopped keeps its time."""
        if self.ended_seconds is None:
            self.ended_seconds = monotonic()
        self.failed = failed

    @property
    def share(self) -> float:
        """Share done; 0 where there is no telling, of an infinite number."""
        share = self.current / self.total
        return share if isfinite(share) else 0.0

    @property
    def elapsed_seconds(self) -> float:
        """Time since the track began; of an ended one, the time that it took."""
        return (monotonic() if self.ended_seconds is None else self.ended_seconds) - self.started_seconds

    @property
    def rate(self) -> float | None:
        """Items a second since the track began; None as long as there is nothing to measure."""
        done = self.current - self.first
        elapsed = self.elapsed_seconds
        return done / elapsed if done > 0 and elapsed > 0 else None

    @property
    def remaining_seconds(self) -> float | None:
        """Estimated time until the track is complete; None as long as there is no rate."""
        if self.ended_seconds is not None:
            return None if self.failed else 0.0
        rate = self.rate
        return (self.total - self.current) / rate if rate and isfinite(self.total) else None

    def snapshot(self) -> ProgressData:
        """Return the progress as the plain value that hooks and callers get."""
        remaining = self.remaining_seconds
        return ProgressData(
            percent=0.0 if self.failed else round(self.share * _PERCENT, 2),
            time_remaining=None if remaining is None else round(remaining, 2),
            elapsed_time=round(self.elapsed_seconds, 2),
            status="failed" if self.failed else "running",
        )
