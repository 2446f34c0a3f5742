"""A view on a terminal: coloured lines above, a live bar for each category that is under way below."""

from __future__ import annotations

import sys
from threading import RLock
from time import monotonic
from typing import TYPE_CHECKING, Final

from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from synapse_otel.plugins.loggers import amounts
from synapse_otel.plugins.loggers.lines import Line, progress_line
from synapse_otel.plugins.loggers.pace import Pace

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from synapse_otel.plugins.loggers.track import Track

REFRESH_SECONDS: Final = 0.1
_WIDE: Final = 76
_MEDIUM: Final = 44
_LABEL_SHARE: Final = 4


class LiveScreen:
    """Prints on a console, and keeps the bars below what is printed. Nothing happens between calls: no thread.

    Args:
        console: the terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._running: dict[str | None, Track] = {}
        self._ends: Pace[Track] = Pace()
        self._live: Live | None = None
        self._due = 0.0
        self._lock = RLock()

    def line(self, line: Line) -> None:
        """Print a line above the bars."""
        with self._lock:
            self._print(line)

    def progress(self, category: str | None, track: Track) -> None:
        """Take in a category's progress, and draw if it is time to."""
        self._running[category] = track
        ended = track.ended_seconds is not None
        if not ended and monotonic() < self._due:
            return
        with self._lock:
            over = ended and self._ends.admits(category, track)
            if over:
                self._running.pop(category, None)
            self._draw()
            if over:
                self._print(_end_line(category, track))

    def close(self) -> None:
        """Take the bars away; the last progress of each stays as a line."""
        with self._lock:
            self._stop()
            self._ends.release()
            for category, track in self._running.items():
                self._print(_end_line(category, track))
            self._running.clear()

    def _print(self, line: Line) -> None:
        self._console.print(Text.assemble(*line), soft_wrap=True, highlight=False)

    def _draw(self) -> None:
        self._due = monotonic() + REFRESH_SECONDS
        if not self._running:
            self._stop()
            return
        bars = bar_table(self._running, self._console.width, self._console.height)
        if self._live is None:
            self._live = Live(bars, console=self._console, auto_refresh=False, transient=True)
            self._live.start()
            self._console.show_cursor(True)  # noqa: FBT003 - a killed job must not leave a terminal without a cursor
        self._live.update(bars, refresh=True)

    def _stop(self) -> None:
        if self._live is not None:
            sys.stdout.flush()
            sys.stderr.flush()
            self._live.stop()
            self._live = None


def bar_table(tracks: dict[str | None, Track], width: int, height: int) -> Table:
    """Return a table of bars, one a row: as many as the window has room for, and as much of each."""
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=max(6, width // _LABEL_SHARE))
    for category, track in list(tracks.items())[-max(1, height - 2) :]:
        table.add_row(*_bar_row(category, track, width))
    return table


def _bar_row(category: str | None, track: Track, width: int) -> list[RenderableType]:
    row: list[RenderableType] = [Text(category or "total", style="cyan", no_wrap=True, overflow="ellipsis")]
    if width >= _MEDIUM:
        row.append(ProgressBar(total=track.total, completed=track.current, width=max(8, width // 4)))
    row.append(Text(amounts.percent(track), no_wrap=True))
    if width >= _WIDE:
        row.append(Text(amounts.count(track), style="dim", no_wrap=True))
    if width >= _MEDIUM:
        row.append(Text(amounts.rate(track), style="dim", no_wrap=True))
        row.append(Text(amounts.remaining(track), style="dim", no_wrap=True))
    return row


def _end_line(category: str | None, track: Track) -> Line:
    return progress_line(category, amounts.progress_parts(track), failed=track.failed)
