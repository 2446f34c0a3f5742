"""Spaces the samples of a series a millisecond apart: Prometheus stores one sample per millisecond, and drops others.

A clock that was set back by less than a second is bridged in the same way, so that a curve keeps its order. If it was
set back further, a sample keeps the clock's time: spans, logs and the server use it too, and a backend refuses samples
from the future.
"""

from __future__ import annotations

from typing import Final

MILLISECOND: Final = 1_000_000
AHEAD: Final = 900
"""Milliseconds that a sample moves ahead of its time, at most, before samples are merged..."""
RESERVE: Final = 100
"""... and the extra distance for the first one of a request, so that a series' newest value is always sent."""
_SWAPPED: Final = 100
"""Milliseconds within which threads' samples may be out of order; beyond that the clock was set back."""


class Spacing:
    """Finds each sample the next free millisecond of its series."""

    def __init__(self, last: dict[str, int] | None = None) -> None:
        self.last: dict[str, int] = dict(last or {})
        """By series, the millisecond at which its last sample was placed."""
        self._recorded: dict[str, int] = {}
        """By series, the millisecond at which its last sample was recorded; not known of what another shipper sent."""

    def place(self, series: str, time: int, *, first: bool) -> int | None:
        """Return the time in ns at which a sample is sent; None: merge it into the series' last one.

        Args:
            series: Key of the series.
            time: Unix time in ns at which it was recorded.
            first: it is the series' first sample in this request, so it cannot be merged.
        """
        millisecond = time // MILLISECOND
        last = self.last.get(series)
        before = self._recorded.get(series)
        self._recorded[series] = millisecond
        if last is None or millisecond > last:
            self.last[series] = millisecond
            return time
        ahead = last + 1 - millisecond
        if ahead <= (AHEAD + RESERVE if first else AHEAD):
            self.last[series] = last + 1
            return (last + 1) * MILLISECOND
        set_back = ahead > AHEAD + RESERVE + 1 if before is None else millisecond < before - _SWAPPED
        if set_back:
            self.last[series] = millisecond
            return time
        return None
