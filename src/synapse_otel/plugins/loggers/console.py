"""`ConsoleLogger`: what a plugin records, as the person who runs it sees it."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Any, Protocol

from synapse_otel.plugins.loggers.base import BaseLogger
from synapse_otel.plugins.loggers.lines import Line, event_line, metrics_line
from synapse_otel.plugins.loggers.pace import Pace
from synapse_otel.plugins.loggers.plain import PlainScreen
from synapse_otel.plugins.loggers.stream import StandardOutput
from synapse_otel.plugins.models.logger import LogLevel

if TYPE_CHECKING:
    from rich.console import Console

    from synapse_otel.plugins.loggers.track import Track


class Screen(Protocol):
    """Where lines and progress are shown."""

    def line(self, line: Line) -> None:
        """Show a line."""

    def progress(self, category: str | None, track: Track) -> None:
        """Show a category's progress if it is due."""

    def close(self) -> None:
        """Show what was held back, and leave the terminal clean."""


class ConsoleLogger(BaseLogger):
    """Shows records on standard output.

    On a terminal: lines coloured by what they mean (not with ``NO_COLOR``), and below them a live bar with rate and
    remaining time for each category under way. Elsewhere, and with ``CI`` set: plain lines. Of each category's metrics,
    and without a terminal of its progress, at most one line a second is shown; the last one always is.

    Args:
        console: the terminal, if not standard output.
    """

    def __init__(self, console: Console | None = None) -> None:
        super().__init__()
        self._open(console)

    def _open(self, console: Console | None) -> None:
        self._console = console
        self._screen: Screen | None = None
        self._metrics_pace: Pace[dict[str, Any]] = Pace()

    def _log_impl(
        self,
        event: str,
        data: dict[str, Any],
        file: str | None,
        step: str | None,
        level: LogLevel | None = None,
    ) -> None:
        self._shown().line(event_line(event, data, file, step, level or LogLevel.INFO))

    def _on_track(self, track: Track, step: str | None) -> None:
        (self._screen or self._shown()).progress(step, track)
        if self._has_progress_hook:
            self._on_progress(track.snapshot(), step)

    def _on_metrics(self, step: str, metrics: dict[str, Any]) -> None:
        if self._metrics_pace.admits(step, metrics):
            self._shown().line(metrics_line(step, metrics))

    def _on_finish(self) -> None:
        for step, metrics in self._metrics_pace.release():
            self._shown().line(metrics_line(step, metrics))
        if self._screen is not None:
            self._screen.close()

    def _shown(self) -> Screen:
        """Return the screen; which kind is decided when there is something to show."""
        if self._screen is None:
            self._screen = screen = _screen_for(self._console)
            weakref.finalize(self, _close, screen, os.getpid())
        return self._screen

    def __getstate__(self) -> dict[str, Any]:
        """Leave the terminal behind: another process opens its own."""
        state = super().__getstate__()
        for name in ("_console", "_screen", "_metrics_pace"):
            state.pop(name)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Open the terminal of this process when there is something to show."""
        self.__dict__.update(state)
        self._open(None)


def _screen_for(console: Console | None) -> Screen:
    if console is None:
        output = StandardOutput()
        if not output.isatty() or os.environ.get("CI") or os.environ.get("TERM") in {"dumb", "unknown"}:
            return PlainScreen(output)
        from rich.console import Console

        console = Console(file=output)  # type: ignore[arg-type] # it has what rich calls of a file
    from synapse_otel.plugins.loggers.live import LiveScreen

    return LiveScreen(console)


def _close(screen: Screen, process: int) -> None:
    """Leave the terminal clean when nobody finished the logger; a forked child leaves it to its parent."""
    if os.getpid() == process:
        screen.close()
