"""One run, live, in four parts: what it did, its metrics, what it said, and all else about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import ContentSwitcher, Static

from synapse_otel._text import counted
from synapse_otel.runs.live.entry import Json
from synapse_otel.runs.live.filters import LEVELS, LogFilter
from synapse_otel.runs.live.store import RunStore
from synapse_otel.ui.formats import duration, printable
from synapse_otel.ui.glyphs import Glyphs
from synapse_otel.ui.terminal.about import about
from synapse_otel.ui.terminal.curve import CurveScreen
from synapse_otel.ui.terminal.lines import Lines
from synapse_otel.ui.terminal.metrics import MetricLines
from synapse_otel.ui.terminal.overview import overview
from synapse_otel.ui.terminal.records import AUDIENCES, FOLDED, LEVEL_WORDS, Records, record
from synapse_otel.ui.terminal.searching import Searching
from synapse_otel.ui.terminal.watching import Key, KeyLine, Watching
from synapse_otel.ui.terminal.words import lasted, now_ms, pace, percent, pill, title, work

_ERRORS: Final = 12
"""Cells that the number of errors takes."""
TABS: Final = ("steps", "metrics", "messages", "about")


class RunScreen(Searching):
    """A run."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(at + 1), f"tab('{name}')", show=False) for at, name in enumerate(TABS)),
        Binding("tab", "next_tab(1)", show=False, priority=True),
        Binding("shift+tab", "next_tab(-1)", show=False, priority=True),
        Binding("left", "next_tab(-1)", show=False),
        Binding("right", "next_tab(1)", show=False),
        Binding("l", "level", show=False),
        Binding("a", "audience", show=False),
        Binding("c", "category", show=False),
        Binding("t", "metric_texts", show=False),
        Binding("x", "stack", show=False),
    ]
    CSS = (
        Searching.CSS
        + "ContentSwitcher { height: 1fr; } ContentSwitcher > Lines { height: 1fr; } #columns { height: 1; }"
    )

    def __init__(self, store: RunStore, glyphs: Glyphs, name: str) -> None:
        super().__init__(store, glyphs)
        self._run_id = name
        self._told: Json | None = None
        self._version: object = None
        self._tab = TABS[0]
        self._whole_stack = False
        self._searched = dict.fromkeys(TABS, "")

    def compose(self) -> ComposeResult:
        """Make the parts."""
        yield Static(classes="head", id="head", markup=False)
        yield Static(id="columns", markup=False)
        with ContentSwitcher(initial=TABS[0]):
            yield Lines(id="steps")
            yield MetricLines(self.store, self._run_id, self.glyphs, id="metrics")
            yield Records(self.store, self._run_id, self.glyphs, id="messages")
            yield Lines(id="about")
        yield from self.compose_search()

    def on_mount(self) -> None:
        """Begin to look."""
        super().on_mount()
        self.focused_lines().focus()

    def keys(self) -> Sequence[Key]:
        """Return the keys of the part that is shown."""
        tabs: tuple[Key, ...] = (("esc", "back"), ("1-4", "part"))
        texts: tuple[Key, ...] = (("t", "texts"),) if self._texts else ()
        return {
            "steps": (*tabs, ("x", "own frames" if self._whole_stack else "whole stack")),
            "metrics": (*tabs, ("enter", "enlarge"), ("/", "search")),
            "messages": (
                *tabs,
                ("/", "search"),
                ("l", "level"),
                ("a", "for"),
                ("c", "step"),
                *texts,
                ("enter", "whole"),
            ),
            "about": tabs,
        }[self._tab]

    # --- what there is ----------------------------------------------------------------------------------

    def fetch(self) -> Any:
        """Return what has changed of the run; called in a thread."""
        version = self.store.version(self._run_id)
        told = self.store.details(self._run_id) if version != self._version else None
        curves = records = None
        if (shown := told or self._told) and self._tab == "metrics":
            curves = self.query_one(MetricLines).fetch(shown)
        if self._tab == "messages":
            records = self.query_one(Records).fetch(version)
        return version, told, curves, records

    def show(self, found: Any) -> None:
        """Take what has changed, and draw the part that is shown."""
        if found is not None:
            self._version, told, curves, records = found
            self._told = told or self._told
            self.has_more = self._told is not None and self._told["reading"] < 1
            if self._told and curves is not None:
                self.query_one(MetricLines).take(self._told, curves, self._searched["metrics"])
            if self._told and records is not None:
                self.query_one(Records).take(records, self._told["begin"] or 0)
        self._draw()

    def _draw(self) -> None:
        told, width = self._told, self.size.width
        self.query_one("#head", Static).update(self._head(width))
        columns = self.query_one("#columns", Static)
        columns.display = self._tab in {"metrics", "messages"}
        if told is None:
            return
        room = max(width - 1, 10)  # the bar that tells where one is takes a cell
        if self._tab == "steps":
            drawn = overview(told, now_ms(), room, self.glyphs, whole_stack=self._whole_stack)
            self.query_one("#steps", Lines).fill_with(drawn)
        elif self._tab == "about":
            self.query_one("#about", Lines).fill_with(about(told, room, self.glyphs))
        elif self._tab == "metrics":
            columns.update(self.query_one(MetricLines).head(room))
        else:
            columns.update(self._filter(told))

    def _head(self, width: int) -> Text:
        told = self._told
        if told is None:
            return Text(self.error or "Reading the journal ...", "yellow" if self.error else "")
        row, now = told["row"], now_ms()
        head = pill(row, self.glyphs)
        version = "" if row["version"] else printable(str(told["resource"].get("service.version", "")))
        head.append(f"  {title(row)}", "bold").append(f"  {work(row)} {version}".rstrip())
        progress = row["progress"]
        facts = [f"{duration(lasted(row, now))}"]
        if progress:
            facts += [percent(progress["ratio"]), pace(progress, now, running=row["state"] == "live")]
        if row["state"] == "stalled":
            facts.append(f"silent for {duration(max(now - told['last'], 0) / 1000)}")
        facts.append(f"{row['pending']:,} pending" + (f", {row['dropped']:,} dropped" if row["dropped"] else ""))
        head.append("\n").append("  ".join(fact for fact in facts if fact))
        if told["reading"] < 1:
            head.append(f"  reading {percent(told['reading'])}", "cyan")
        if self.error:
            head.append(f"  {self.error}", "yellow")
        head.append("\n").append_text(self._tabs(told, width))
        head.no_wrap, head.overflow = True, "ellipsis"
        return head

    def _tabs(self, told: Json, width: int) -> Text:
        logs, errors = told["logs"], told["logs"]["errors"]
        counts = {"metrics": f" {len(told['series']):,}", "messages": f" {logs['total'] - logs['metric_texts']:,}"}
        line = Text()
        for at, name in enumerate(TABS):
            line.append(f" {at + 1} {name}{counts.get(name, '')} ", "reverse" if name == self._tab else "dim")
        if errors and width > line.cell_len + _ERRORS:
            line.append(f"  {counted(errors, 'error')}", "red")
        return line

    def _filter(self, told: Json) -> Text:
        records = self.query_one(Records)
        wanted = records.wanted
        level = next((f"{word} and above" for word, least in LEVELS[1:] if least == wanted.severity), "all")
        parts = [f"level: {level}", f"for: {wanted.audience}", f"step: {printable(wanted.category or 'all')}"]
        if self._texts:
            parts.append(f"text metrics: {'shown' if wanted.metric_texts else f'{self._texts:,} folded'}")
        count = f"{records.count:,} of {told['logs']['total']:,}" if wanted != FOLDED else ""
        return Text("  ".join([*parts, count]), "dim underline", no_wrap=True, overflow="ellipsis")

    def focused_lines(self) -> Lines:
        """Return the lines of the part that is shown."""
        return self.query_one(f"#{self._tab}", Lines)

    # --- keys -------------------------------------------------------------------------------------------

    def action_tab(self, name: str) -> None:
        """Show another part."""
        self._searched[self._tab] = self.words
        self._tab = name
        self.query_one(ContentSwitcher).current = name
        self.leave_search(self._searched[name])
        self.query_one(KeyLine).show(self.keys())
        self._draw()
        self.look()

    def action_next_tab(self, by: int) -> None:
        """Show the next part, or the last."""
        self.action_tab(TABS[(TABS.index(self._tab) + by) % len(TABS)])

    def action_search(self) -> None:
        """Let words be typed, where there is something to search in."""
        if self._tab not in {"metrics", "messages"}:
            self.action_tab("messages")
        super().action_search()

    def searched(self) -> None:
        """Draw what matches."""
        self._searched[self._tab] = self.words
        if self._tab == "messages":
            self._want(self.query_one(Records).wanted._replace(text=self.words))
        elif self._tab == "metrics" and self._told:
            self.query_one(MetricLines).take(self._told, {}, self.words)
            self.look()

    def action_level(self) -> None:
        """Show the records of a higher level alone."""
        levels = dict(LEVELS)
        records = self.query_one(Records)
        word = next((word for word in LEVEL_WORDS if levels.get(word, 0) == records.wanted.severity), "")
        after = LEVEL_WORDS[(LEVEL_WORDS.index(word) + 1) % len(LEVEL_WORDS)]
        self._want(records.wanted._replace(severity=levels.get(after, 0)))

    def action_audience(self) -> None:
        """Show the records for others."""
        wanted = self.query_one(Records).wanted
        after = AUDIENCES[(AUDIENCES.index(wanted.audience) + 1) % len(AUDIENCES)]
        self._want(wanted._replace(audience=after))

    def action_category(self) -> None:
        """Show the records of another category alone."""
        wanted = self.query_one(Records).wanted
        names = [None, *(self._told["logs"]["categories"] if self._told else [])]
        at = names.index(wanted.category) if wanted.category in names else 0
        self._want(wanted._replace(category=names[(at + 1) % len(names)]))

    def action_metric_texts(self) -> None:
        """Show the records of metrics that are texts, or fold them."""
        wanted = self.query_one(Records).wanted
        self._want(wanted._replace(metric_texts=not wanted.metric_texts))

    @property
    def _texts(self) -> int:
        """Number of the records of metrics that are texts."""
        return self._told["logs"]["metric_texts"] if self._told else 0

    def _want(self, wanted: LogFilter) -> None:
        if self._tab != "messages":
            return
        self.query_one(Records).want(wanted)
        self._draw()
        self.look()

    def action_stack(self) -> None:
        """Show all frames of a stack, or the plugin's own."""
        self._whole_stack = not self._whole_stack
        self.query_one(KeyLine).show(self.keys())
        self._draw()

    def on_lines_moved(self) -> None:
        """Read what is seen by now."""
        self.look()

    def on_lines_opened(self, opened: Lines.Opened) -> None:
        """Show what is chosen as large as there is room for."""
        begin = (self._told or {}).get("begin") or 0
        if isinstance(opened.lines, MetricLines) and (series := opened.lines.chosen):
            self.app.push_screen(CurveScreen(self.store, self.glyphs, self._run_id, series, begin))
        elif isinstance(opened.lines, Records) and (row := opened.lines.chosen):
            self.app.push_screen(RecordScreen(self.store, self.glyphs, row, begin))

    def on_resize(self) -> None:
        """Draw it as wide as there is room for."""
        self._draw()


class RecordScreen(Watching):
    """One log record, whole."""

    def __init__(self, store: RunStore, glyphs: Glyphs, row: Json, begin: float) -> None:
        super().__init__(store, glyphs)
        self._row = row
        self._begin = begin

    def compose(self) -> ComposeResult:
        """Make the parts."""
        yield Lines()
        yield KeyLine()

    def keys(self) -> Sequence[Key]:
        """Return the screen's own keys."""
        return (("esc", "back"),)

    def fetch(self) -> Any:
        """Return nothing: a record does not change."""
        return None

    def show(self, found: Any) -> None:  # noqa: ARG002 - nothing was found
        """Draw it."""
        self.query_one(Lines).fill_with(record(self._row, self._begin, max(self.size.width - 1, 10)))
