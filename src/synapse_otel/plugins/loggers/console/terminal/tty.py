"""`Tty`: the terminal that standard output is, opened once more, to draw on without ever waiting for it."""

from __future__ import annotations

import os
import sys
from fcntl import LOCK_EX, LOCK_NB, flock
from io import TextIOWrapper
from typing import TYPE_CHECKING, Final, TextIO

from synapse_otel._guard import let_through
from synapse_otel.plugins.loggers.console.lines import painted, wants_colours
from synapse_otel.plugins.loggers.console.terminal import stream as streams
from synapse_otel.plugins.loggers.console.terminal.bars import Glyphs, glyphs_for
from synapse_otel.plugins.loggers.console.terminal.nonblocking import NonBlockingOutput
from synapse_otel.plugins.loggers.console.terminal.stream_patch import StreamPatch

if TYPE_CHECKING:
    from synapse_otel.plugins.loggers.console.lines import Line
    from synapse_otel.plugins.loggers.console.terminal.live_region import LiveRegion

_USUAL: Final = (80, 24)


class Tty:
    """A terminal.

    Args:
        stream: standard output.

    Raises:
        BlockingIOError: another process draws on it.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self._number = stream.fileno()
        self._own = self._opened()
        self._outlet = NonBlockingOutput(self._number if self._own is None else self._own)
        self._elsewhere = streams.StandardOutput()
        self._interposed: StreamPatch | None = None
        self.device = os.fstat(self._number).st_rdev
        self.colours = wants_colours(terminal=True)
        self.glyphs: Glyphs = glyphs_for(streams.encoding_of(stream))

    def size(self) -> tuple[int, int]:
        """Return width and height of the window; ``COLUMNS`` and ``LINES`` count where the terminal does not know."""
        try:
            found = os.get_terminal_size(self._number)
        except OSError as error:
            let_through(error)
            found = os.terminal_size((0, 0))
        return found[0] or _number("COLUMNS") or _USUAL[0], found[1] or _number("LINES") or _USUAL[1]

    def is_attended(self) -> bool:
        """Return whether standard output still is this terminal, and its keys are this program's."""
        try:
            if os.fstat(self._number).st_rdev != self.device:
                return False
        except OSError as error:
            let_through(error)
            return False
        try:
            return os.tcgetpgrp(self._number) == os.getpgrp()
        except OSError as error:
            let_through(error)
            return True  # it controls nobody: no shell runs other programs on it

    def attach(self, area: LiveRegion) -> None:
        """Lead what is written through the standard streams around the bars."""
        if self._interposed is None:
            self._interposed = StreamPatch(area)
        self._interposed.add(self._is_seen_with)

    def shows(self, stream: object) -> bool:
        """Return whether a stream writes to this terminal."""
        try:
            return isinstance(stream, TextIOWrapper) and os.fstat(stream.fileno()).st_rdev == self.device
        except (OSError, ValueError) as error:
            let_through(error)
            return False

    def blank_line(self) -> str:
        """Return blanks that end on the same line if the cursor stands at its begin, else on the next one."""
        return " " * (self.size()[0] - 1) + "\r"

    def _is_seen_with(self, stream: object) -> bool:
        """Return whether what is written to a stream is seen on this terminal: so is standard error on another one.

        ``synapse-otel run`` gives a command a terminal of its own there, and passes on what comes.
        """
        if stream is not None and stream in {sys.stderr, sys.__stderr__}:
            return isinstance(stream, TextIOWrapper) and not stream.closed and stream.isatty()
        return self.shows(stream)

    def paint(self, line: Line) -> str:
        """Return a line as this terminal shows it; what its encoding lacks is a question mark."""
        text = painted(line, colours=self.colours)
        return streams.encoded(text, self.stream).decode(streams.encoding_of(self.stream))

    def line(self, before: str, line: Line, after: str) -> None:
        """Write a line, and the codes that make room for it, after what the plugin has printed.

        Where ``sys.stdout`` is another file for now, the line goes there.
        """
        if not self.shows(sys.stdout):
            self._elsewhere.write(painted(line, colours=False) + "\n")
            return
        self._outlet.line(streams.encoded(f"{before}{self.paint(line)}\n{after}", self.stream))

    def draw(self, codes: str) -> bool:
        """Write codes, if the terminal supports them; return whether it will show them."""
        self.flush()
        return self._outlet.offer(streams.encoded(codes, self.stream))

    def erase(self, codes: str) -> bool:
        """Write codes that take bars away; also where standard error has a terminal of its own, on which some may come.

        What is on its way there arrives later.
        """
        if self._interposed is not None:
            self._interposed.write_where_not(self.shows, codes)
        return self.draw(codes)

    def drain(self, seconds: float) -> None:
        """Wait for what was written in part: what comes now must not stand in the middle of it."""
        self._outlet.flush(seconds)

    def close(self) -> None:
        """Leave the terminal to others."""
        if self._interposed is not None:
            self._interposed.remove()
        self.inherit()

    def inherit(self) -> None:
        """Leave the terminal to the parent, in the child of a fork; what is written is still led around its bars."""
        if self._own is not None:
            os.close(self._own)
            self._own = None

    def _opened(self) -> int | None:
        """Return a descriptor of its own for the terminal, locked for this process; None if there can be none.

        The kernel releases the lock: of several processes on a terminal one draws bars.
        """
        try:
            own = os.open(os.ttyname(self._number), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            let_through(error)
            return None  # another user's, or not under this name in a container
        try:
            flock(own, LOCK_EX | LOCK_NB)
        except OSError as error:
            os.close(own)
            if isinstance(error, BlockingIOError):
                raise
            let_through(error)
            return None
        return own

    def flush(self) -> None:
        """Have written what the plugin has printed."""
        streams.flush(sys.stdout)
        streams.flush(sys.stderr)


class TtyOfAnother(Tty):
    """A terminal that another process draws on."""

    def _opened(self) -> int | None:
        return None


def _number(variable: str) -> int:
    text = os.environ.get(variable, "")
    return int(text) if text.isascii() and text.isdigit() else 0
