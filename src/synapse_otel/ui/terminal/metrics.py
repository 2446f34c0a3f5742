"""A run's metrics, each as a small curve."""

from __future__ import annotations

from typing import Final

from rich.cells import cell_len
from rich.text import Text

from synapse_otel.runs.live.entry import Json
from synapse_otel.runs.live.store import RunStore
from synapse_otel.ui.formats import fitted, fitted_middle, number, printable
from synapse_otel.ui.glyphs import Glyphs
from synapse_otel.ui.printed.curves import sparkline
from synapse_otel.ui.terminal.lines import Lines
from synapse_otel.ui.terminal.words import REMOVED

SMALL: Final = 64
"""Points of a small curve."""
_NUMBER: Final = 11
_WIDE: Final = 88
_LEAST: Final = 8
_MOST: Final = 48


class MetricLines(Lines):
    """The metrics of a run, one a line."""

    def __init__(self, store: RunStore, name: str, glyphs: Glyphs, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(has_cursor=True, id=id)
        self._store = store
        self._run_id = name
        self._glyphs = glyphs
        self._series: list[Json] = []
        self._values: dict[int, list[float]] = {}
        self._nonfinite: set[tuple[str, str]] = set()
        self._wanted: list[str] = []
        self._none = ""
        self._asked: object = None
        """What the curves at hand are of: the version of the run, and which of them."""

    def fetch(self, told: Json) -> dict[int, list[float]]:
        """Return the values of the small curves that are seen, where there may be new ones; called in a thread."""
        seen = self._series or told["series"]
        numbers = [row["id"] for row in seen[self.seen.start : self.seen.start + max(self.size.height, 40)]]
        asked = told["version"], numbers
        if asked == self._asked:
            return {}
        curves = self._store.curves(self._run_id, numbers, SMALL, mean=True)["curves"]
        self._asked = asked
        return {key: drawn["v"] for key, drawn in curves.items()}

    def take(self, told: Json, values: dict[int, list[float]], words: str) -> None:
        """Show metrics whose names have the words."""
        self._values |= values
        self._nonfinite = {(one["category"], one["name"]) for one in told["nonfinite"]}
        self._wanted = words.split()
        self._none = REMOVED if told["removed"] else "No metric has been reported."
        self._series = [one for one in told["series"] if all(word in metric_name(one).lower() for word in self._wanted)]
        self.fill(len(self._series), self._drawn)

    @property
    def chosen(self) -> Json | None:
        """The metric that is chosen."""
        return self._series[self.cursor] if self.cursor < len(self._series) else None

    def head(self, width: int) -> Text:
        """Return the heads of the columns."""
        if not self._series:
            return Text(self._none if not self._wanted else "No metric matches.", "dim")
        label, curve = self._rooms(width)
        names = ("latest", "min", "max", "values") if width >= _WIDE else ("latest", "min", "max")
        line = f"{fitted('metric', label, self._glyphs)} {'':{curve}}" + "".join(f"{name:>{_NUMBER}}" for name in names)
        return Text(line[:width], "dim underline")

    def _rooms(self, width: int) -> tuple[int, int]:
        """Return the cells of a name and of a curve."""
        columns = 4 if width >= _WIDE else 3
        rest = max(width - columns * _NUMBER - 1, 16)
        wanted = max((cell_len(metric_name(one)) for one in self._series), default=8)
        label = min(wanted, max(rest - _LEAST, 8) if rest < _LEAST * 3 else rest * 2 // 3)
        return label, min(max(rest - label, 0), _MOST)

    def _drawn(self, at: int, width: int) -> Text:
        one = self._series[at]
        label, curve = self._rooms(width)
        values = self._values.get(one["id"], [])
        odd = (one["category"], one["name"]) in self._nonfinite
        line = Text(fitted_middle(metric_name(one), label, self._glyphs), "yellow" if odd else "").append(" ")
        drawn = sparkline(values, curve, self._glyphs.spark) if len(values) > 1 and curve else ""
        line.append(f"{drawn:{curve}}", "cyan").append(f"{metric_value(one['last']):>{_NUMBER}}", "bold")
        line.append(f"{metric_value(one['min']):>{_NUMBER}}{metric_value(one['max']):>{_NUMBER}}")
        if width >= _WIDE:
            line.append(f"{one['count']:>{_NUMBER},}", "dim")
        return line


def metric_name(one: Json) -> str:
    """Return what a metric is called, with its category."""
    return printable(f"{one['category']} / {one['name']}" if one["category"] else one["name"])


def metric_value(value: float | None) -> str:
    """Return a value in few digits."""
    return "-" if value is None else number(value)
