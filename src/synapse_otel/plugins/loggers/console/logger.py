"""`ConsoleLogger`: what a plugin records, as the person who runs it sees it."""

from __future__ import annotations

import os
import sys
import weakref
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from synapse_otel._fork import Part, at_fork
from synapse_otel.plugins.loggers.base import BaseLogger
from synapse_otel.plugins.loggers.console.lines import Line, event_line, step_line, wants_colours
from synapse_otel.plugins.loggers.console.plain import PlainScreen
from synapse_otel.plugins.loggers.console.surroundings import is_watched, notebook_shell
from synapse_otel.plugins.loggers.console.terminal.fork_locks import Forkable
from synapse_otel.plugins.loggers.console.terminal.stream import StandardOutput, is_plain
from synapse_otel.plugins.loggers.console.terminal.stream_patch import leads
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

    def metrics(self, category: str, values: dict[str, Any]) -> None:
        """Show a category's last values if they are due."""

    def close(self) -> None:
        """Show what was held back, and leave the terminal clean."""


class ConsoleLogger(BaseLogger):
    """Shows records on standard output.

    On a terminal: lines coloured by what they mean (not with ``NO_COLOR``), and below them a live bar with rate and
    remaining time for each category under way. In a notebook: lines, and one display of progress and metrics for each
    cell. Elsewhere, with ``CI`` set, and where another process has its bars on the terminal: plain lines. Of each
    category's metrics, and without bars of its progress, at most one line a second; the last one always is shown.

    Args:
        console: the terminal, if not standard output.
    """

    def __init__(self, console: Console | None = None) -> None:
        super().__init__()
        self._console = console
        self._screen: Screen | None = None
        self._steps: dict[str, float] = {}

    def open(self) -> None:
        """Take the terminal now rather than when there is something to show.

        Bars of others (tqdm) that begin from now on are known, and messages stand above them.
        """
        try:
            self._shown()
        except Exception as error:  # noqa: BLE001 - contained: a view must not fail the job
            self.contain(error)

    def _log_impl(
        self,
        event: str,
        data: dict[str, Any],
        file: str | None,
        step: str | None,
        level: LogLevel | None = None,
    ) -> None:
        (self._screen or self._shown()).line(event_line(event, data, file, step, level or LogLevel.INFO))

    def _on_track(self, track: Track, step: str | None) -> None:
        (self._screen or self._shown()).progress(step, track)
        if self._has_progress_hook:
            self._on_progress(track.snapshot(), step)

    def _on_metrics(self, step: str, metrics: dict[str, Any]) -> None:
        (self._screen or self._shown()).metrics(step, metrics)

    def _on_step(self, step: str, result: str, error: str | None, *, is_rollback: bool) -> None:
        began = None if is_rollback else self._steps.pop(step, None)
        depth = len(self._steps)
        if not result:
            self._steps[step] = monotonic()
        seconds = None if began is None else monotonic() - began
        line = step_line(step, result, error, depth=depth, seconds=seconds, is_rollback=is_rollback)
        (self._screen or self._shown()).line(line)

    def _on_finish(self) -> None:
        if self._screen is not None:
            self._screen.close()

    def _shown(self) -> Screen:
        """Return the screen; which kind is decided when there is something to show."""
        with _opening.lock:
            if self._screen is None:
                self._screen = _screen_for(self._console)
                weakref.finalize(self, _close, self._screen, os.getpid())
                _with_screens.add(self)
            return self._screen

    def __getstate__(self) -> dict[str, Any]:
        """Leave the terminal behind: another process opens its own."""
        return {**super().__getstate__(), "_console": None, "_screen": None}


_with_screens: weakref.WeakSet[ConsoleLogger] = weakref.WeakSet()
_opening = Forkable()
"""Of two threads' first calls one opens the screen, and no process forks while what it needs is imported."""


def _screen_for(console: Console | None) -> Screen:
    if console is not None:
        from synapse_otel.plugins.loggers.console.live import LiveScreen
        from synapse_otel.plugins.loggers.console.terminal.live_region import LiveRegion
        from synapse_otel.plugins.loggers.console.terminal.rich_console import RichSurface

        return LiveScreen(LiveRegion(RichSurface(console)))
    shell = notebook_shell()
    if shell is not None:
        from synapse_otel.plugins.loggers.console.notebook import NotebookScreen

        return NotebookScreen(shell)
    watched = is_watched()
    live = _live_screen() if watched else None
    return live or PlainScreen(StandardOutput(), colours=wants_colours(terminal=watched))


def _live_screen() -> Screen | None:
    """Return bars on standard output; None where they cannot be drawn or are another process'."""
    stream: TextIO | None = sys.stdout
    if stream is None or not (is_plain(stream) or leads(stream)):
        return None  # what stands between us and the terminal, and copies to a file for example, gets lines
    from synapse_otel.plugins.loggers.console.live import LiveScreen
    from synapse_otel.plugins.loggers.console.terminal.shared import area_on

    area = area_on(stream)
    return None if area is None else LiveScreen(area)


def _close(screen: Screen, process: int) -> None:
    """Leave the terminal clean when nobody finished the logger; a forked child leaves it to its parent."""
    if os.getpid() == process:
        screen.close()


def _forget_screens() -> None:
    """Have each logger find a screen of its own in the child of a fork: what its parent's holds is the parent's."""
    for logger in list(_with_screens):
        logger._screen = None  # noqa: SLF001 - its own module
    _with_screens.clear()


at_fork(Part.SCREENS, _forget_screens)
