"""A run's messages and events: filtered, searched, and only those at hand that are on the screen."""

from __future__ import annotations

from typing import Any, Final

from rich.text import Text

from synapse_otel.runs.live.entry import Json
from synapse_otel.runs.live.filters import LEVELS, LogFilter
from synapse_otel.runs.live.store import RunStore
from synapse_otel.semconv.severity import Severity
from synapse_otel.ui.formats import clock, fitted, offset, printable
from synapse_otel.ui.glyphs import STYLES, Glyphs
from synapse_otel.ui.terminal.lines import Lines
from synapse_otel.ui.terminal.overview import heading
from synapse_otel.ui.terminal.words import folded, printable_line, shown, summary

LEVEL_WORDS: Final = ("", *(word for word, _least in LEVELS[1:]))
AUDIENCES: Final = ("all", "user", "developer")
FOLDED: Final = LogFilter(metric_texts=False)
"""What is shown at first: a metric that is a text may have a record at every epoch. A search finds them, too."""
_AHEAD: Final = 100
"""Records that are read before and behind those that are seen."""
_WIDE: Final = 90
_WORDS: Final = {"event": "event", "developer": "dev", "exception": "error", "life": "job"}


class Records(Lines):
    """The log records of a run, one a line."""

    def __init__(self, store: RunStore, name: str, glyphs: Glyphs, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(has_cursor=True, id=id)
        self._store = store
        self._run_id = name
        self._glyphs = glyphs
        self._rows: dict[int, Json] = {}
        self._begin = 0.0
        self._asked: object = None
        """What the records at hand are of: the version of the run, the filter, and those that are seen."""
        self.wanted = FOLDED

    def want(self, wanted: LogFilter) -> None:
        """Show what another filter lets through, from its end on."""
        self.wanted = wanted
        self._rows.clear()
        self.cursor = 0

    def fetch(self, version: object) -> tuple[LogFilter, Json] | None:
        """Return the records about those that are seen; None where they are at hand. Called in a thread."""
        wanted, seen = self.wanted, self.seen
        asked = version, wanted, seen
        if asked == self._asked:
            return None
        first = max(seen.start - _AHEAD, 0)
        whole = wanted._replace(metric_texts=wanted.metric_texts or bool(wanted.text))
        found = self._store.records(self._run_id, whole, first, len(seen) + 2 * _AHEAD)
        self._asked = asked
        return wanted, found

    def take(self, found: tuple[LogFilter, Json], begin: float) -> None:
        """Add the records from `fetch`; a view at the end follows to the new end."""
        wanted, told = found
        if wanted != self.wanted:
            return  # of a filter before
        at_end = self.cursor >= self.count - 1 and bool(self.count)
        self._begin = begin
        self._rows = {told["offset"] + place: row for place, row in enumerate(told["rows"])}
        self.fill(told["matching"], self._drawn)
        if at_end and self.cursor != self.count - 1:
            self.choose(self.count - 1)

    @property
    def chosen(self) -> Json | None:
        """The record that is chosen, if it is at hand."""
        return self._rows.get(self.cursor)

    def _drawn(self, at: int, width: int) -> Text:
        row = self._rows.get(at)
        if row is None:
            return Text(self._glyphs.ellipsis, "dim")
        line = Text().append(f"{offset((row['time'] - self._begin) / 1000):>11} ", "dim")
        word = row["context"] or _WORDS.get(row["kind"], "log")
        line.append(fitted(printable(word), 8, self._glyphs), f"{_style(row)}").append(" ")
        if width >= _WIDE:
            line.append(fitted(printable(row["category"]), 12, self._glyphs), "cyan").append(" ")
        return line.append(summary(row), f"{_style(row) if row['severity'] >= Severity.WARN else ''}")


def record(row: Json, begin: float, width: int) -> list[Text]:
    """Return all there is to say of a record."""
    lines = [
        Text(printable(row["event"] or row["kind"]), f"bold {_style(row)}"),
        Text(
            "  ".join(
                printable(part)
                for part in (
                    clock(int(row["time"] * 1e6)),
                    offset((row["time"] - begin) / 1000),
                    row["context"] or row["kind"],
                    row["category"],
                    row["scope"],
                )
                if part
            ),
            "dim",
        ),
        Text(),
        *(Text(printable_line(line)) for line in row["text"].splitlines()),
    ]
    if row["file"]:
        lines += [Text(), Text(printable(row["file"]), "cyan")]
    for head, values in (("Data", row["data"]), ("Attributes", row["more"])):
        if values:
            lines += [Text(), heading(head), *_pairs(values)]
    return [part for line in lines for part in folded(line, width)]


def _pairs(values: Json) -> list[Text]:
    found = []
    for key, value in values.items():
        if isinstance(value, str) and "\n" in value:
            found += [Text(printable(key), "dim"), *(Text(f"  {printable_line(one)}") for one in value.splitlines())]
        else:
            found.append(Text.assemble((f"{printable(key)}  ", "dim"), shown(value)))
    return found


def _style(row: Any) -> str:
    if row["severity"] >= Severity.ERROR:
        return STYLES["bad"]
    if row["severity"] >= Severity.WARN:
        return STYLES["warn"]
    if row["severity"] >= Severity.SUCCESS:
        return STYLES["good"]
    return "magenta" if row["kind"] == "event" else "dim" if row["kind"] == "developer" else ""
