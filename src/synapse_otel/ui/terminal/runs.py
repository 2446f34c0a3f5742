"""The list of runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from synapse_otel._text import counted
from synapse_otel.runs import nearest
from synapse_otel.runs.live.entry import Json
from synapse_otel.runs.live.store import RunStore
from synapse_otel.ui.formats import duration, fitted, fitted_middle, printable
from synapse_otel.ui.glyphs import Glyphs, bar
from synapse_otel.ui.terminal.lines import Lines
from synapse_otel.ui.terminal.run import RunScreen
from synapse_otel.ui.terminal.searching import Searching
from synapse_otel.ui.terminal.watching import Key
from synapse_otel.ui.terminal.words import ago, attempt, lasted, lives, now_ms, pace, percent, pill, title, work

SORTS: Final = ("start", "duration", "pending", "name", "state")
STATES: Final = ("live", "stalled", "crashed", "failed", "done")
"""What the list is narrowed down to, after all of them; any other word comes after these."""
_READ_SECONDS: Final = 0.2
_STATE: Final = 13
_WIDE: Final = 96
_BAR: Final = 10
_SEARCHED: Final = ("id", "name", "tags", "action", "plugin", "version", "job", "result", "error", "state", "word")


class RunsScreen(Searching):
    """All runs, live: sorted, filtered, one of them chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "sort", show=False),
        Binding("f", "narrow", show=False),
        Binding("a", "attempts", show=False),
    ]

    def __init__(self, store: RunStore, glyphs: Glyphs) -> None:
        super().__init__(store, glyphs)
        self._rows: dict[str, Json] = {}
        self._ids: list[str] = []
        self._version = 0
        self._complete = False
        self._shown: list[Json] = []
        self._sort = SORTS[0]
        self._state = ""
        self._every = False
        """Whether each attempt of a job has a line of its own."""

    def compose(self) -> ComposeResult:
        """Make the parts."""
        yield Static(classes="head", id="head", markup=False)
        yield Lines(has_cursor=True)
        yield Static(id="chosen", markup=False)
        yield from self.compose_search()

    CSS = Searching.CSS + "#chosen { height: 3; }"

    def keys(self) -> Sequence[Key]:
        """Return the screen's own keys."""
        resumed = any(row["attempts"] for row in self._rows.values())
        attempts: tuple[Key, ...] = (("a", "last attempts" if self._every else "all attempts"),) if resumed else ()
        return (("enter", "open"), ("/", "search"), ("s", "sort"), ("f", "state"), *attempts)

    # --- what there is ----------------------------------------------------------------------------------

    def fetch(self) -> Any:
        """Return what has changed of the list; called in a thread."""
        index = self.store.index
        complete = index.refresh(_READ_SECONDS)
        return (complete, index.ids(), *index.rows(self._version))

    def show(self, found: Any) -> None:
        """Take the rows that have changed."""
        if found is not None:
            self._complete, self._ids, self._version, rows = found
            self.has_more = not self._complete
            self._rows |= {row["id"]: row for row in rows}
            for name in self._rows.keys() - set(self._ids):
                del self._rows[name]
        self._draw()

    def searched(self) -> None:
        """Draw what matches."""
        self._draw()

    def _draw(self) -> None:
        lines = self.query_one(Lines)
        chosen = self._chosen()
        now = now_ms()
        self._shown = self._matching(now)
        at = next((at for at, row in enumerate(self._shown) if chosen and row["id"] == chosen["id"]), lines.cursor)
        lines.fill(len(self._shown), lambda at, width: self._line(self._shown[at], width, now))
        if at != lines.cursor:
            lines.choose(at)
        self.query_one("#head", Static).update(self._head(lines.size.width or self.size.width))
        self._draw_chosen()

    def _matching(self, now: float) -> list[Json]:
        words = self.words.split()
        found = [self._rows[name] for name in self._ids if name in self._rows]
        if words:
            found = [row for row in found if all(word in _text(row) for word in words)]
        found = found if self._every else entries(found)
        if self._state:
            found = [row for row in found if row["word"] == self._state]
        keys: dict[str, Any] = {
            "start": lambda row: -row["start"],
            "duration": lambda row: -lasted(row, now),
            "pending": lambda row: -row["pending"],
            "name": title,
            "state": lambda row: (row["word"], -row["start"]),
        }
        return sorted(found, key=keys[self._sort])

    def _chosen(self) -> Json | None:
        at = self.query_one(Lines).cursor
        return self._shown[at] if at < len(self._shown) else None

    # --- drawing ----------------------------------------------------------------------------------------

    def _head(self, width: int) -> Text:
        whole = len(self._rows if self._every else entries([*self._rows.values()]))
        count = counted(whole, "run") if self._complete else f"reading {len(self._rows):,} of {len(self._ids):,}"
        if self._complete and len(self._shown) < whole:
            count = f"{len(self._shown):,} of {count}"
        state = f"  {self._state}" if self._state else ""
        head = Text().append("synapse-otel  ", "bold").append(f"{count}{state}  by {self._sort}")
        if self.error:
            head.append(f"  {self.error}", "yellow")
        elif self._complete and not whole:
            head.append("  No run has been recorded here yet; SYNAPSE_OTEL_JOURNAL_DIR sets the folder.")
        elif self._complete and not self._shown:
            near = nearest(self.words, [title(row) for row in self._rows.values()]) if self.words else ""
            head.append(f"  No run matches.{f' The nearest is {printable(near)}.' if near else ''}")
        wide = width >= _WIDE
        titles = f"{'state':<{_STATE}}" + fitted("run", _name_room(width), self.glyphs)
        titles += f"{'progress':>{18 if wide else 7}}{'':10}{'left':>11}" if wide else f"{'done':>6}{'left':>11}"
        titles += f"{'took':>11}" + (f"{'started':>12}{'pending':>9}" if wide else "")
        return head.append("\n").append(titles[:width], "dim underline")

    def _line(self, row: Json, width: int, now: float) -> Text:
        wide = width >= _WIDE
        glyphs = self.glyphs
        line = pill(row, glyphs)
        line.pad_right(max(_STATE - line.cell_len, 1))
        name, version, room = title(row), printable(row["version"]), _name_room(width)
        more = f"  {attempt(row)}" if row["attempts"] else f" {version}"
        line.append(fitted_middle(f"{name}{more}".strip() if room > len(name) + len(more) else name, room, glyphs))
        progress, running = row["progress"], row["state"] == "live"
        ratio = progress["ratio"] if progress else None
        left = pace(progress | {"rate": None}, now, running=running).removesuffix(" left") if progress else ""
        share = f"{percent(ratio) if progress else '':>6}"
        if wide:
            line.append("  ").append_text(bar(ratio, _BAR, row["tone"], glyphs) if progress else Text(" " * _BAR))
            rate = pace(progress | {"eta": None}, now, running=False) if progress else ""
            line.append(share).append(f"{rate:>10}")
        else:
            line.append(share)
        line.append(f"{left:>11}{duration(lasted(row, now)):>11}")
        if wide:
            line.append(f"{ago(row['start'], now):>12}")
            line.append(f"{row['pending']:>9,}", "" if row["pending"] else "dim")
        return line

    def _draw_chosen(self) -> None:
        row = self._chosen()
        text = Text(overflow="fold")
        if row:
            text.append(f"{work(row)}  " + (f"job {printable(row['job'])}" if row["job"] else ""), "dim").append("\n")
            text.append(printable(row["error"]), "red")
            text.append("".join(f"  {printable(note)}" for note in row["notes"]), "yellow")
            if row["pending"] and not lives(row):
                text.append(f"  {row['pending']:,} records are pending: synapse-otel sync")
        self.query_one("#chosen", Static).update(text)

    # --- keys -------------------------------------------------------------------------------------------

    def on_lines_moved(self) -> None:
        """Tell more of the run that is chosen."""
        self._draw_chosen()

    def on_lines_opened(self) -> None:
        """Open the run that is chosen."""
        if row := self._chosen():
            self.app.push_screen(RunScreen(self.store, self.glyphs, row["id"]))

    def action_sort(self) -> None:
        """Sort by something else."""
        self._sort = SORTS[(SORTS.index(self._sort) + 1) % len(SORTS)]
        self._changed()

    def action_narrow(self) -> None:
        """Show the runs of another state, of those that there are."""
        words = {row["word"] for row in self._rows.values()}
        found = ["", *(word for word in STATES if word in words), *sorted(words - set(STATES))]
        at = found.index(self._state) if self._state in found else 0
        self._state = found[(at + 1) % len(found)]
        self._changed()

    def action_attempts(self) -> None:
        """Show every attempt of a resumed job, or the last one alone."""
        self._every = not self._every
        self._changed()

    def _changed(self) -> None:
        self._draw()
        self.query_one(Lines).choose(0)


def entries(rows: Sequence[Json]) -> list[Json]:
    """Return rows without the attempts of a job whose last one is among them: the job is one entry."""
    known = {row["id"] for row in rows}
    last = ((row, row["attempts"][-1] if row["attempts"] else row["id"]) for row in rows)
    return [row for row, newest in last if newest == row["id"] or newest not in known]


def _text(row: Json) -> str:
    return " ".join(" ".join(row[key]) if key == "tags" else str(row[key]) for key in _SEARCHED).lower()


def _name_room(width: int) -> int:
    taken = _STATE + (2 + _BAR + 6 + 10 + 11 + 11 + 12 + 9 if width >= _WIDE else 6 + 11 + 11)
    return max(width - taken, 8)
