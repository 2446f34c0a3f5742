"""How far a category has come, since when, and how fast: plain state, no view."""

from __future__ import annotations

from math import inf
from time import monotonic

from synapse_otel.plugins.models.logger import ProgressData
from synapse_otel.semconv.progress import begins_pass, rate, seconds_left, share

_PERCENT = 100


class Track:
    """The progress of one category.

    Attributes:
        current: items done.
        total: items there are.
        first: items that were done when this pass began; the rate counts from there.
        high: the most items that were done in this pass.
        started_seconds: monotonic time at which it began.
        ended_seconds: monotonic time at which it was complete or failed, else None.
        failed: whether it failed.
    """

    __slots__ = ("current", "ended_seconds", "failed", "first", "high", "started_seconds", "total")

    def __init__(self, current: float, total: float) -> None:
        self.current: float = current
        self.total: float = total
        self.first: float = current
        self.high: float = current
        self.started_seconds: float = monotonic()
        self.ended_seconds: float | None = None
        self.failed: bool = False

    def set(self, current: float, total: float) -> None:
        """Take what is reported; a track that is complete stops its clock, one that falls back starts it again."""
        tried_again = self.failed and (current == 0 or current < self.current)
        if tried_again or begins_pass(_float(current), _float(self.high)):
            self.__init__(current, total)  # type: ignore[misc]
        else:
            self.current = current
            self.total = total
            self.high = max(self.high, current)
        if current == total:
            self.end()
        elif not self.failed:
            self.ended_seconds = None

    def end(self, *, failed: bool = False) -> None:
        """Stop the clock; a clock that has stopped keeps its time."""
        if self.ended_seconds is None:
            self.ended_seconds = monotonic()
        self.failed = failed

    @property
    def share(self) -> float:
        """Share done; 0 where there is no telling, of an infinite number."""
        return share(self.current, self.total)

    @property
    def elapsed_seconds(self) -> float:
        """Time since the track began; of an ended one, the time that it took."""
        return (monotonic() if self.ended_seconds is None else self.ended_seconds) - self.started_seconds

    @property
    def rate(self) -> float | None:
        """Items a second since the track began; None as long as there is nothing to measure."""
        return rate(self.current - self.first, self.elapsed_seconds)

    @property
    def remaining_seconds(self) -> float | None:
        """Estimated time until the track is complete; None as long as there is no rate."""
        if self.ended_seconds is not None:
            return None if self.failed else 0.0
        return seconds_left(self.total - self.current, self.rate)

    def snapshot(self) -> ProgressData:
        """Return the progress as the plain value that hooks and callers get."""
        remaining = self.remaining_seconds
        return ProgressData(
            percent=0.0 if self.failed else round(self.share * _PERCENT, 2),
            time_remaining=None if remaining is None else round(remaining, 2),
            elapsed_time=round(self.elapsed_seconds, 2),
            status="failed" if self.failed else "running",
        )


def _float(number: float) -> float:
    """Return a number of any type as a float; an integer that is too large for one is infinite."""
    try:
        return float(number)
    except OverflowError:
        return inf
