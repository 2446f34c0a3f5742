"""`Lines`: a widget of many thousands of lines; only the visible ones are built."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

_CHOSEN = Style(reverse=True)


class Lines(ScrollView, can_focus=True):
    """Lines that are asked for when they are seen; with ``has_cursor`` one is chosen, and can be opened."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup,b", "page(-1)", show=False),
        Binding("pagedown,space", "page(1)", show=False),
        Binding("home,g", "go(0)", show=False),
        Binding("end,G", "go(-1)", show=False),
        Binding("enter", "open", show=False),
    ]
    DEFAULT_CSS = "Lines { height: 1fr; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0; overflow-x: hidden; }"

    class Opened(Message):
        """A line was opened: of which widget, and which one."""

        def __init__(self, lines: Lines, at: int) -> None:
            super().__init__()
            self.lines = lines
            self.at = at

    class Moved(Message):
        """Other lines are seen, or another one is chosen."""

    def __init__(self, *, has_cursor: bool = False, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._has_cursor = has_cursor
        self._line: Callable[[int, int], Text] = _nothing
        self.count = 0
        self.cursor = 0

    def fill(self, count: int, line: Callable[[int, int], Text]) -> None:
        """Show so many other lines; ``line`` returns one by its number, for a width in cells."""
        self.count, self._line = count, line
        self.cursor = min(self.cursor, max(count - 1, 0))
        self.virtual_size = Size(self.size.width, count)
        self.refresh()

    def fill_with(self, lines: list[Text]) -> None:
        """Show lines that are made already."""
        self.fill(len(lines), lambda at, _width: lines[at])

    def choose(self, at: int) -> None:
        """Choose a line, and bring it into view."""
        self.cursor = min(max(at, 0), max(self.count - 1, 0))
        self.scroll_to_region(Region(0, self.cursor, 1, 1), animate=False, force=True)
        self.refresh()
        self.post_message(self.Moved())

    @property
    def seen(self) -> range:
        """The lines that are on the screen."""
        top = round(self.scroll_offset.y)
        return range(min(top, self.count), min(top + max(self.size.height, 1), self.count))

    def render_line(self, y: int) -> Strip:
        """Return a line of the screen."""
        at, width = round(self.scroll_offset.y) + y, self.size.width
        if at >= self.count:
            return Strip.blank(width)
        text = self._line(at, width)
        if self._has_cursor and at == self.cursor:
            return Strip([Segment(text.plain, _CHOSEN)]).adjust_cell_length(width, _CHOSEN)
        console = self.app.console
        if not text.spans:  # rich leaves its style to the printer
            return Strip([Segment(text.plain, console.get_style(text.style))]).adjust_cell_length(width)
        text.end = ""
        return Strip([one for one in text.render(console) if isinstance(one, Segment)]).adjust_cell_length(width)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Tell that other lines are seen."""
        super().watch_scroll_y(old_value, new_value)
        self.post_message(self.Moved())

    # --- keys -----------------------------------------------------------------------------------------

    def action_move(self, lines: int) -> None:
        """Go to the next or the last line."""
        if self._has_cursor:
            self.choose(self.cursor + lines)
        else:
            self.scroll_relative(y=lines, animate=False)

    def action_page(self, pages: int) -> None:
        """Go on or back by what fits on the screen."""
        self.action_move(pages * max(self.size.height - 1, 1))

    def action_go(self, at: int) -> None:
        """Go to the beginning (0) or the end (-1)."""
        if self._has_cursor:
            self.choose(self.count - 1 if at < 0 else at)
        else:
            self.scroll_to(y=self.max_scroll_y if at < 0 else 0, animate=False)

    def action_open(self) -> None:
        """Open the line that is chosen."""
        if self.count:
            self.post_message(self.Opened(self, self.cursor))


def _nothing(_at: int, _width: int) -> Text:
    return Text()
