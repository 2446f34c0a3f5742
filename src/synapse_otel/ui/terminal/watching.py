"""What the screens have in common: they look at the library in a thread, and have a line of keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult, RenderResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Static

from synapse_otel.runs.live.entry import plain_path
from synapse_otel.runs.live.store import RunStore, UnknownRunError
from synapse_otel.ui.formats import printable
from synapse_otel.ui.glyphs import Glyphs

POLL_SECONDS: Final = 0.5
Key = tuple[str, str]
"""A key, and what it does."""
COMMON: Final[tuple[Key, ...]] = (("?", "help"), ("q", "quit"))
BACK: Final[Key] = ("esc", "back")
MOVES: Final[tuple[Key, ...]] = (
    ("up down", "one line (also k, j)"),
    ("pgup pgdn", "a page (also b, space)"),
    ("home end", "first, last (also g, G)"),
)


class KeyLine(Widget):
    """The keys of a screen on one line, the most useful first: as many as there is room for."""

    DEFAULT_CSS = "KeyLine { height: 1; }"

    def __init__(self) -> None:
        super().__init__()
        self.keys: Sequence[Key] = ()

    def show(self, keys: Sequence[Key]) -> None:
        """Show other keys."""
        self.keys = keys
        self.refresh()

    def render(self) -> RenderResult:
        """Return the line."""
        line, last = Text(no_wrap=True), _drawn(COMMON)
        for key in self.keys:
            part = _drawn([key])
            if line.cell_len + part.cell_len + last.cell_len > self.size.width:
                break
            line.append_text(part)
        return line.append_text(last)


def _drawn(keys: Sequence[Key]) -> Text:
    line = Text()
    for key, does in keys:
        line.append(f" {key} ", "reverse").append(f" {does}  ")
    return line


class Help(ModalScreen[None]):
    """All keys of a screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,enter,q", "app.pop_screen", show=False),
    ]
    DEFAULT_CSS = """
    Help { align: center middle; }
    Help > Static { width: auto; max-width: 100%; height: auto; border: round; padding: 0 1; }
    """

    def __init__(self, keys: Sequence[Key]) -> None:
        super().__init__()
        self._keys = keys

    def compose(self) -> ComposeResult:
        """Make the parts."""
        rows = [*(row for row in self._keys if row != BACK), *MOVES, BACK, ("q", "quit")]
        width = max(len(key) for key, _does in rows)
        yield Static(Text("\n".join(f"{key:>{width}}  {does}" for key, does in rows)))


class Watching(Screen[None]):
    """A screen that looks at the library twice a second, in a thread, as long as it is the one that is seen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", show=False),
        Binding("escape", "back", show=False),
    ]
    CSS = ".head, #columns { height: auto; text-wrap: nowrap; text-overflow: ellipsis; }"

    class Found(Message):
        """Something was read, or could not be."""

        def __init__(self, found: Any, error: str) -> None:
            super().__init__()
            self.found = found
            self.error = error

    def __init__(self, store: RunStore, glyphs: Glyphs) -> None:
        super().__init__()
        self.store = store
        self.glyphs = glyphs
        self.error = ""
        """Why it could not be read."""
        self.has_more = False
        """Whether there is more to be read at once."""
        self._is_looking = False

    # --- what a screen of its own says ------------------------------------------------------------------

    def fetch(self) -> Any:
        """Return what is new; called in a thread."""
        raise NotImplementedError

    def show(self, found: Any) -> None:
        """Take what `fetch` has returned, and draw; None: time has passed, or it could not be read."""
        raise NotImplementedError

    def keys(self) -> Sequence[Key]:
        """Return the screen's own keys."""
        raise NotImplementedError

    # --- looking ----------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Begin to look."""
        self.set_interval(POLL_SECONDS, self.look)
        self.query_one(KeyLine).show(self.keys())
        self.look()

    def on_screen_resume(self) -> None:
        """Look at once when the screen is seen again."""
        self.look()

    def look(self) -> None:
        """Look now, unless that is being done."""
        if self.is_current and not self._is_looking:
            self._is_looking = True
            self.run_worker(self._looked, thread=True)

    def _looked(self) -> None:
        found, error = None, ""
        try:
            found = self.fetch()
        except UnknownRunError:
            error = "this run is no longer there"
        except Exception as failure:  # noqa: BLE001 - whatever stands in a journal, the screen goes on and says it
            error = printable(getattr(failure, "strerror", None) or plain_path(failure)) or type(failure).__name__
        self.post_message(self.Found(found, error))

    def on_watching_found(self, told: Found) -> None:
        """Draw what was found."""
        self._is_looking = False
        self.error = told.error
        self.show(told.found)
        self.query_one(KeyLine).show(self.keys())
        if self.has_more and not told.error:
            self.look()

    # --- keys -------------------------------------------------------------------------------------------

    def action_help(self) -> None:
        """Show all keys."""
        self.app.push_screen(Help(self.keys()))

    def action_back(self) -> None:
        """Go back to the screen behind this one."""
        if len(self.app.screen_stack) > 2:  # noqa: PLR2004 - Textual's own lies below the first
            self.app.pop_screen()
