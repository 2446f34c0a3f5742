"""A view without bars: lines, at most one a second of each category's progress and values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_otel.plugins.loggers.console.amounts import progress_parts
from synapse_otel.plugins.loggers.console.lines import Line, metrics_line, painted, progress_line
from synapse_otel.plugins.loggers.console.pace import Pace
from synapse_otel.plugins.loggers.console.terminal.fork_locks import Forkable

if TYPE_CHECKING:
    from synapse_otel.plugins.loggers.console.terminal.stream import StandardOutput
    from synapse_otel.plugins.loggers.track import Track


class PlainScreen(Forkable):
    """Writes lines to a stream.

    Args:
        stream: where to.
        colours: whether it shows the codes of colours.
    """

    def __init__(self, stream: StandardOutput, *, colours: bool) -> None:
        super().__init__()
        self._stream = stream
        self._colours = colours
        self._progress_pace: Pace[Track] = Pace(delayed=True)
        self._metrics_pace: Pace[dict[str, Any]] = Pace()
        self._unfinished: dict[str | None, Track] = {}
        """Progress whose last line does not say how it ended."""

    def line(self, line: Line) -> None:
        """Write a line."""
        text = painted(line, colours=self._colours) + "\n"
        with self.lock:
            self._stream.write(text)

    def progress(self, category: str | None, track: Track) -> None:
        """Write a category's progress if it is due: not in its first second unless it is over by then."""
        has_ended = track.ended_seconds is not None
        if not self._progress_pace.admits(category, track, final=has_ended):
            self._unfinished[category] = track
            return
        if has_ended:
            self._unfinished.pop(category, None)
        else:
            self._unfinished[category] = track
        self._write(category, track)

    def metrics(self, category: str, values: dict[str, Any]) -> None:
        """Write the last values of a category if they are due."""
        if self._metrics_pace.admits(category, values):
            self.line(metrics_line(category, values))

    def close(self) -> None:
        """Write the last values that were held back, and the last progress of each category that has not ended."""
        for category, values in self._metrics_pace.release():
            self.line(metrics_line(str(category), values))
        for category, track in self._unfinished.items():
            self._write(category, track, over=True)
        self._unfinished.clear()
        self._stream.close()

    def _write(self, category: str | None, track: Track, *, over: bool = False) -> None:
        self.line(progress_line(category, progress_parts(track, over=over), failed=track.failed))
