"""A view without a terminal: plain lines, at most one a second of each category's progress."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from synapse_otel.plugins.loggers.amounts import progress_parts
from synapse_otel.plugins.loggers.lines import Line, progress_line
from synapse_otel.plugins.loggers.pace import Pace

if TYPE_CHECKING:
    from synapse_otel.plugins.loggers.stream import StandardOutput
    from synapse_otel.plugins.loggers.track import Track


class PlainScreen:
    """Writes lines to a stream.

    Args:
        stream: where to.
    """

    def __init__(self, stream: StandardOutput) -> None:
        self._stream = stream
        self._pace: Pace[Track] = Pace(delayed=True)
        self._lock = Lock()

    def line(self, line: Line) -> None:
        """Write a line."""
        text = "".join(piece for piece, _style in line) + "\n"
        with self._lock:
            self._stream.write(text)
            self._stream.flush()

    def progress(self, category: str | None, track: Track) -> None:
        """Write a category's progress if it is due: not in its first second unless it is over by then."""
        if self._pace.admits(category, track, final=track.ended_seconds is not None):
            self._write(category, track)

    def close(self) -> None:
        """Write the last progress of each category that was held back."""
        for category, track in self._pace.release():
            self._write(category, track)

    def _write(self, category: str | None, track: Track) -> None:
        self.line(progress_line(category, progress_parts(track), failed=track.failed))
