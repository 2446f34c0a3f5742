"""What the screens have in common in which one searches: a line for words."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input, Static

from synapse_otel.runs.live.store import RunStore
from synapse_otel.ui.glyphs import Glyphs
from synapse_otel.ui.terminal.lines import Lines
from synapse_otel.ui.terminal.watching import KeyLine, Watching


class Searching(Watching):
    """A screen in which one searches."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("slash", "search", show=False)]
    CSS = (
        Watching.CSS
        + """
    #search { display: none; height: 1; }
    #search Static { width: 9; }
    #search Input { border: none; height: 1; padding: 0; width: 1fr; background: transparent; }
    """
    )

    def __init__(self, store: RunStore, glyphs: Glyphs) -> None:
        super().__init__(store, glyphs)
        self.words = ""
        """What is searched for, in small letters."""

    def compose_search(self) -> ComposeResult:
        """Make the search line and the line of keys."""
        with Horizontal(id="search"):
            yield Static("search: ", markup=False)
            yield Input(id="words")
        yield KeyLine()

    def action_search(self) -> None:
        """Let words be typed."""
        self.query_one("#search").display = True
        self.query_one(Input).focus()

    def action_back(self) -> None:
        """Leave the search line; then forget what is searched for; then leave the screen."""
        typing = self.query_one(Input).has_focus
        if typing or self.words:
            self.leave_search(self.words if typing else "")
        else:
            super().action_back()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Search for what is typed."""
        self.words = event.value.strip().lower()
        self.searched()

    def on_input_submitted(self, _event: Input.Submitted) -> None:
        """Go back to what was found."""
        self.leave_search(self.words)

    def on_key(self, event: Any) -> None:
        """Go from the search line to what was found with an arrow, too."""
        if event.key == "down" and self.query_one(Input).has_focus:
            self.leave_search(self.words)
            event.stop()

    def searched(self) -> None:
        """Draw what matches."""

    def leave_search(self, words: str) -> None:
        """Go on in the lines, with these words searched for."""
        line = self.query_one(Input)
        line.value = words
        self.query_one("#search").display = bool(words)
        self.focused_lines().focus()

    def focused_lines(self) -> Lines:
        """Return the lines that the keys move in."""
        return self.query_one(Lines)
