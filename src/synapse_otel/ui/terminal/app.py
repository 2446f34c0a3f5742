"""The application: it has the terminal's own colours, and begins with the list or with one run."""

from __future__ import annotations

from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType

from synapse_otel.runs.live.store import RunStore
from synapse_otel.ui.glyphs import ASCII, UNICODE
from synapse_otel.ui.terminal.run import RunScreen
from synapse_otel.ui.terminal.runs import RunsScreen


class TerminalView(App[None]):
    """The runs of a library in a terminal.

    Args:
        store: the runs.
        run: id of the run to begin with; empty: the list.
        unicode: whether the terminal has more than ASCII.
    """

    TITLE = "synapse-otel"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", show=False),
        Binding("ctrl+c", "quit", show=False, priority=True),
    ]
    CSS = "Screen { background: ansi_default; color: ansi_default; }"

    def __init__(self, store: RunStore, run: str = "", *, unicode: bool = True) -> None:
        super().__init__(ansi_color=True)
        self.theme = "ansi-dark"
        self._store = store
        self._run = run
        self._glyphs = UNICODE if unicode else ASCII

    def on_mount(self) -> None:
        """Show the list, and before it the run to begin with."""
        self.push_screen(RunsScreen(self._store, self._glyphs))
        if self._run:
            self.push_screen(RunScreen(self._store, self._glyphs, self._run))
