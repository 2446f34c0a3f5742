"""What the progress of a category says: how far it is, how fast it goes, how long it will take."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Final

LEAST_FALL: Final = 0.5
"""A progress that falls to less than this share of its highest begins a new pass; a smaller fall is a correction."""


def begins_pass(current: float, high: float) -> bool:
    """Return whether ``current`` begins a new pass, where ``high`` was the highest so far."""
    return current < high * LEAST_FALL


def share(current: float, limit: float) -> float:
    """Return the share done, 0 to 1; 0 where there is no telling, of an infinite number."""
    done = current / limit
    return done if isfinite(done) else 0.0


def rate(done: float, seconds: float) -> float | None:
    """Return the items a second, or None while nothing is done or no time has passed."""
    return done / seconds if seconds > 0 and done > 0 else None


def seconds_left(left: float, a_second: float | None) -> float | None:
    """Return the seconds that ``left`` items take at a rate, or None where unknown."""
    return left / a_second if a_second and isfinite(left) else None


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of one category of a job, as it stands in the block."""

    current: float
    limit: float
    time: int
    """Unix time in ns of the last change."""
    start_time: int
    """Unix time in ns at which this pass began."""
    start_current: float
    """Where this pass began."""
    items: float
    """Items done over all passes."""

    @property
    def ratio(self) -> float:
        """Share done, 0 to 1; 0 where there is no telling, of an infinite number."""
        return share(self.current, self.limit)

    @property
    def rate(self) -> float | None:
        """Items a second in this pass, or None while unknown."""
        return rate(self.current - self.start_current, (self.time - self.start_time) / 1e9)

    @property
    def eta_seconds(self) -> float | None:
        """Seconds from the last change to the end at this pass's rate, or None where unknown."""
        if self.current >= self.limit:
            return 0.0
        return seconds_left(self.limit - self.current, self.rate)
