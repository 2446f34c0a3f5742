"""Samples of a series a millisecond apart: Prometheus keeps milliseconds, and drops the rest within one silently."""

from __future__ import annotations

from typing import Final

MILLISECOND: Final = 1_000_000
AHEAD: Final = 900
"""Milliseconds that a sample moves ahead of its time, at most, before samples are merged..."""
RESERVE: Final = 100
"""... and how much further the first of a request may, so that a series' newest value is always sent."""


class Spacing:
    """Finds each sample the next free millisecond of its series."""

    def __init__(self, last: dict[str, int] | None = None) -> None:
        self.last: dict[str, int] = dict(last or {})
        """By series, the millisecond of its last sample."""

    def place(self, series: str, time: int, *, first: bool) -> int | None:
        """Return the time in ns at which a sample is sent; None: merge it into the series' last one.

        Args:
            series: Key of the series.
            time: Unix time in ns at which it was recorded.
            first: it is the series' first sample in this request, so there is none to merge it into.
        """
        millisecond = time // MILLISECOND
        free = self.last.get(series, -1) + 1
        if millisecond >= free:
            self.last[series] = millisecond
            return time
        if free - millisecond <= (AHEAD + RESERVE if first else AHEAD):
            self.last[series] = free
            return free * MILLISECOND
        return None
