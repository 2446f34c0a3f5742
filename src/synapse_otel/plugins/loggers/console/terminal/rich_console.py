"""A rich console that somebody has made, as a surface for bars."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from synapse_otel.plugins.loggers.console.lines import painted
from synapse_otel.plugins.loggers.console.terminal.bars import glyphs_for

if TYPE_CHECKING:
    from rich.console import Console

    from synapse_otel.plugins.loggers.console.lines import Line
    from synapse_otel.plugins.loggers.console.terminal.live_region import LiveRegion


class RichSurface:
    """Draws where a console prints; its lines are printed, so that it may record or capture them.

    Args:
        console: the console.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self.glyphs = glyphs_for(console.encoding)

    def size(self) -> tuple[int, int]:
        """Return width and height of the console."""
        return self._console.width, self._console.height

    def is_attended(self) -> bool:
        """Return whether a bar may be drawn: not in a file."""
        return self._console.is_terminal and not self._console.is_dumb_terminal

    def attach(self, area: LiveRegion) -> None:
        """Do nothing: what is not printed on the console is not known."""

    def blank_line(self) -> str:
        """Return nothing: the console knows where it is."""
        return ""

    def paint(self, line: Line) -> str:
        """Return a line with the colours that the console has."""
        return painted(line, colours=self._console.color_system is not None and not self._console.no_color)

    def line(self, before: str, line: Line, after: str) -> None:
        """Print a line between codes."""
        self.draw(before)
        self._console.print(Text.assemble(*line), soft_wrap=True, highlight=False)
        self.draw(after)

    def draw(self, codes: str) -> bool:
        """Write codes."""
        if codes:
            self._console.file.write(codes)
            self._console.file.flush()
        return True

    def flush(self) -> None:
        """Do nothing: what is not printed on the console is not known."""

    def erase(self, codes: str) -> bool:
        """Write codes."""
        return self.draw(codes)

    def drain(self, seconds: float) -> None:
        """Do nothing: everything is written whole."""

    def inherit(self) -> None:
        """Do nothing: it is its maker's."""

    def close(self) -> None:
        """Do nothing: it is its maker's."""
