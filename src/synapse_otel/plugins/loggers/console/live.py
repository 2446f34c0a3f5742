"""A view on a terminal: coloured lines above, a live bar for each category that is under way below."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from synapse_otel.plugins.loggers.console.amounts import progress_parts
from synapse_otel.plugins.loggers.console.lines import Line, metrics_line, progress_line
from synapse_otel.plugins.loggers.console.pace import Pace

if TYPE_CHECKING:
    from synapse_otel.plugins.loggers.console.terminal.live_region import LiveRegion
    from synapse_otel.plugins.loggers.track import Track


class LiveScreen:
    """Writes lines, and keeps the bars below what is written.

    Args:
        area: the bars on the terminal; other loggers may have theirs there too.
    """

    def __init__(self, area: LiveRegion) -> None:
        self._area = area
        self._running: dict[str | None, Track] = {}
        self._ends: Pace[Track] = Pace()
        self._metrics: Pace[dict[str, Any]] = Pace()
        area.enter(self._running)

    def line(self, line: Line) -> None:
        """Write a line above the bars."""
        self._area.line(line)

    def progress(self, category: str | None, track: Track) -> None:
        """Take in a category's progress, and draw if it is time to."""
        self._running[category] = track
        ended = track.ended_seconds is not None
        if not ended and monotonic() < self._area.due:
            return
        with self._area.lock:
            over = ended and self._ends.admits(category, track)
            if over:
                self._running.pop(category, None)
            self._area.draw()
            if over:
                self.line(_end_line(category, track))

    def metrics(self, category: str, values: dict[str, Any]) -> None:
        """Write the last values of a category if they are due."""
        if self._metrics.admits(category, values):
            self.line(metrics_line(category, values))

    def close(self) -> None:
        """Take the bars away; the last progress of each, and the last values, stay as lines."""
        with self._area.lock:
            left = list(self._running.items())
            self._running.clear()
            self._ends.release()
            self._area.draw()
            for category, values in self._metrics.release():
                self.line(metrics_line(category, values))
            for category, track in left:
                self.line(_end_line(category, track, over=True))
            self._area.leave(self._running)


def _end_line(category: str | None, track: Track, *, over: bool = False) -> Line:
    return progress_line(category, progress_parts(track, over=over), failed=track.failed)
