"""A view in a notebook: lines as text, and one display with progress and metrics that is brought up to date."""

from __future__ import annotations

import html
from threading import RLock
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from synapse_otel.plugins.loggers.console.lines import Line, compact, painted
from synapse_otel.plugins.loggers.console.terminal.bars import UNICODE, bar_rows
from synapse_otel.plugins.loggers.console.terminal.stream import StandardOutput

if TYPE_CHECKING:
    from synapse_otel.plugins.loggers.track import Track

REFRESH_SECONDS: Final = 0.25
_WIDTH: Final = 100
_MOST_ROWS: Final = 60
_COLOURS: Final = {"cyan": "#0e8a8a", "green": "#2e9e4f", "red": "#d0393e", "magenta": "#a64ca6", "dim": "#808080"}
"""Readable on white and on black."""


class NotebookScreen:
    """Writes lines, and shows what moves in a display of its own, one for each cell that is run.

    Args:
        shell: IPython's.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._output = StandardOutput()
        self._tracks: dict[str | None, Track] = {}
        self._metrics: dict[str, dict[str, Any]] = {}
        self._handle: Any = None
        self._cell: int | None = None
        self._due = 0.0
        self._is_behind = False
        self._lock = RLock()
        shell.events.register("post_run_cell", self._at_end_of_cell)

    def line(self, line: Line) -> None:
        """Write a line."""
        self._output.write(painted(line, colours=False) + "\n")

    def progress(self, category: str | None, track: Track) -> None:
        """Take in a category's progress, and show it if it is time to."""
        self._tracks[category] = track
        self._moved(at_once=track.ended_seconds is not None)

    def metrics(self, category: str, values: dict[str, Any]) -> None:
        """Take in the last values of a category, and show them if it is time to."""
        self._metrics[category] = values
        self._moved()

    def close(self) -> None:
        """Show what is last."""
        if self._is_behind or any(track.ended_seconds is None for track in self._tracks.values()):
            self._show(over=True)
        self._shell.events.unregister("post_run_cell", self._at_end_of_cell)

    def _moved(self, *, at_once: bool = False) -> None:
        if at_once or monotonic() >= self._due or self._shell.execution_count != self._cell:
            self._show()
        else:
            self._is_behind = True

    def _at_end_of_cell(self, _result: Any) -> None:
        if self._is_behind:
            self._show()

    def _show(self, *, over: bool = False) -> None:
        from IPython.display import display

        with self._lock:
            self._due = monotonic() + REFRESH_SECONDS
            self._is_behind = False
            shown = _Shown(self._rows(over=over))
            cell = self._shell.execution_count
            if self._handle is None or cell != self._cell:
                self._handle, self._cell = display(shown, display_id=True), cell  # type: ignore[no-untyped-call]
            else:
                self._handle.update(shown)

    def _rows(self, *, over: bool) -> list[Line]:
        tracks = list(self._tracks.items())
        rows = bar_rows(tracks, _WIDTH, _MOST_ROWS, UNICODE, over=over) if tracks else []
        for category, values in list(self._metrics.items()):
            rows.append([(f"{category}  ", "cyan"), (compact(dict(values)), "")])
        return rows


class _Shown:
    """Rows as a notebook keeps them: text, and the same text with colours."""

    def __init__(self, rows: list[Line]) -> None:
        self._rows = rows

    def _repr_mimebundle_(self, **_options: Any) -> dict[str, str]:
        text = "\n".join(painted(row, colours=False).rstrip() for row in self._rows)
        rows = "\n".join("".join(_span(*piece) for piece in row) for row in self._rows)
        style = "margin:0;line-height:1.35;white-space:pre;overflow-x:auto"
        return {"text/plain": text, "text/html": f'<pre style="{style}">{rows}</pre>'}


def _span(text: str, style: str) -> str:
    colour = _COLOURS.get(style)
    shown = html.escape(text)
    return f'<span style="color:{colour}">{shown}</span>' if colour and text else shown
