"""`LiveRegion`: bars below the cursor, where they do not disturb other output.

The cursor stays where the next writer expects it. Output through ``sys.stdout`` and ``sys.stderr`` removes the bars and
redraws them below; output of others (a subprocess, a library in C) may overwrite them, but never the other way round:
nothing at the cursor or above it is ever touched.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from time import monotonic
from typing import TYPE_CHECKING, Final, Protocol

from synapse_otel._guard import let_through
from synapse_otel.plugins.loggers.console.terminal.bars import Glyphs, bar_rows
from synapse_otel.plugins.loggers.console.terminal.cursor_tracker import CursorTracker, bare
from synapse_otel.plugins.loggers.console.terminal.fork_locks import Forkable
from synapse_otel.plugins.loggers.console.terminal.nonblocking import PATIENCE_SECONDS

if TYPE_CHECKING:
    from synapse_otel.plugins.loggers.console.lines import Line
    from synapse_otel.plugins.loggers.track import Track

REFRESH_SECONDS: Final = 0.1

_SAVE, _RESTORE = "\x1b7", "\x1b8"
_DOWN_ONE: Final = "\x1bD"
"""Index: keeps the column, and scrolls at the last line."""
_REST_OF_LINE, _REST_OF_SCREEN = "\x1b[K", "\x1b[J"
_NO_WRAP, _WRAP = "\x1b[?7l", "\x1b[?7h"
_PLAIN: Final = "\x1b[0m"


class Surface(Protocol):
    """What an area draws on."""

    glyphs: Glyphs

    def size(self) -> tuple[int, int]:
        """Return width and height."""

    def is_attended(self) -> bool:
        """Return whether bars may be drawn now."""

    def blank_line(self) -> str:
        """Return the codes that move the cursor to the begin of a line with nothing on it."""

    def flush(self) -> None:
        """Have written what others have written in part."""

    def paint(self, line: Line) -> str:
        """Return a line as it is written."""

    def line(self, before: str, line: Line, after: str) -> None:
        """Write a line between codes."""

    def draw(self, codes: str) -> bool:
        """Write codes if there is room for them."""

    def erase(self, codes: str) -> bool:
        """Write codes that take bars away, wherever some were shown."""

    def attach(self, area: LiveRegion) -> None:
        """Lead what others write there around the bars."""

    def drain(self, seconds: float) -> None:
        """Wait so long at most for what was written in part."""

    def inherit(self) -> None:
        """Leave it to the parent, in the child of a fork."""

    def close(self) -> None:
        """Leave it to others."""


class LiveRegion(Forkable):
    """The bars of all loggers on one terminal. Nothing happens between calls: no thread.

    Args:
        surface: the terminal.

    Attributes:
        due: monotonic time from which on the bars may be drawn again.
        is_closed: nobody draws here any more.
        is_inherited: another process draws here.
    """

    def __init__(self, surface: Surface) -> None:
        super().__init__()
        self.due = 0.0
        self.is_closed = False
        self.is_inherited = False
        self._running: list[dict[str | None, Track]] = []
        self._surface = surface
        self._trail = CursorTracker()
        self._rows: list[str] = []
        self._is_drawn = False
        self._is_new = True
        surface.attach(self)

    def enter(self, running: dict[str | None, Track]) -> None:
        """Take in a logger.

        Args:
            running: progress of its categories under way, which it changes.
        """
        with self.lock:
            self._running.append(running)

    def leave(self, running: dict[str | None, Track]) -> None:
        """Let go of a logger; with the last one, the terminal is left to others."""
        with self.lock:
            self._running = [each for each in self._running if each is not running]
            if not self._running:
                self.hide()
                self.is_closed = True
                self._surface.close()

    def draw(self) -> None:
        """Draw the bars as they stand now."""
        with self.lock:
            self.due = monotonic() + REFRESH_SECONDS
            tracks = [*chain.from_iterable(list(each.items()) for each in self._running)]
            if not tracks:
                self.hide()
                self._rows = []
            elif self._surface.is_attended():
                self._surface.attach(self)
                width, height = self._surface.size()
                rows = bar_rows(tracks, width, height - self._trail.below, self._surface.glyphs)
                self._rows = [self._surface.paint(row) for row in rows]
                self._is_drawn = self._surface.draw(self._shown()) or self._is_drawn

    def hide(self) -> None:
        """Take the bars away until they are drawn again."""
        with self.lock:
            if self._is_drawn:
                self._is_drawn = not self._surface.erase(self._hidden())

    def settle(self) -> None:
        """Write what was written in part, if it is taken soon."""
        try:
            self._surface.drain(REFRESH_SECONDS)
        except (OSError, ValueError) as error:
            let_through(error)  # the terminal is gone: the next writer gets the error

    def inherit(self) -> None:
        """Leave the bars to another process, the parent after a fork, but for what has to be cleared from the way."""
        self._surface.inherit()
        self._rows = []
        self.is_inherited = True

    def make_room(self) -> None:
        """Take the bars away for something that is about to be shown, if it can be done at once; nothing is raised."""
        if not self.lock.acquire(timeout=REFRESH_SECONDS):
            return
        try:
            self.hide()
        except (OSError, ValueError) as error:
            let_through(error)  # the terminal is gone: its next user gets the error
        finally:
            self.lock.release()

    def line(self, line: Line) -> None:
        """Write a line above the bars, and above what others have begun to write where it can be written again."""
        with self.lock:
            self._surface.flush()
            begun, below = self._trail.begun(), self._trail.below
            before, after = self._hidden() + ("" if begun else self._new_line()), ""
            self._is_new = False
            if begun and self._trail.fits(self._surface.size()[0]):
                before += f"\r{_REST_OF_SCREEN}"
                after = "\r\n".join(begun) + _PLAIN + (f"\x1b[{below}A" if below else "")
            elif begun:
                before += "\n" * (below + 1)
                self._trail.clear()
            self._surface.line(before, line, after + (self._shown() if self._is_drawn else ""))

    def around(self, write: Callable[[str], int], text: str) -> None:
        """Write the output of other code, with the bars out of its way; raises what ``write`` raises.

        Bars are redrawn below a complete line, or one that its writer keeps rewriting, as progress bars do; below
        the beginning of another line they are redrawn at the next update.
        """
        with self.lock:
            self._surface.drain(PATIENCE_SECONDS)
            before = self._hidden()
            self._trail.follow(text)
            only_moves = bool(before) and not bare(text)
            is_drawn = bool(self._rows) and (text.endswith("\n") or "\r" in text or only_moves)
            try:
                write(before + text + (self._shown() if is_drawn else ""))
            except BaseException:
                self._trail.clear()
                raise
            self._is_drawn = is_drawn

    def _shown(self) -> str:
        """Return the codes that show the rows below the cursor, each on one line however narrow the window is."""
        rows = "\r\n".join(row + _REST_OF_LINE for row in self._rows)
        return f"{self._at_bars(len(self._rows))}{_PLAIN}{_NO_WRAP}{rows}{_REST_OF_SCREEN}{_WRAP}{_RESTORE}"

    def _hidden(self) -> str:
        """Return the codes that take away what stands below the cursor and below others' lines there."""
        shown = self._surface.is_attended() if self.is_inherited else self._is_drawn
        return f"{self._at_bars(1)}{_REST_OF_SCREEN}{_RESTORE}" if shown else ""

    def _at_bars(self, rows: int) -> str:
        """Return the codes that make room for rows, and move the cursor to the first; `_RESTORE` brings it back."""
        above = self._trail.below + 1
        lines = self._trail.below + rows
        return f"{self._rest_of_line()}{_DOWN_ONE * lines}\x1b[{lines}A{_SAVE}\x1b[{above}B\r"

    def _new_line(self) -> str:
        """Return the codes that begin a new line unless the cursor stands at the begin of one, the first time.

        Nobody knows what was written before: as many blanks as a line has cells but one end on the same line or the
        next one.
        """
        return self._surface.blank_line() if self._is_new else ""

    def _rest_of_line(self) -> str:
        """Return the code that clears what is right of the cursor, unless others left it there.

        The Enter key moves the cursor onto a bar: what stands there is ours.
        """
        return _REST_OF_LINE if self._trail.at_end else ""
