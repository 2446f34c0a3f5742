"""Every metric as a small curve, with its first, best and last value."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from rich.cells import cell_len
from rich.text import Text

from synapse_otel.runs import Series
from synapse_otel.ui.formats import fitted_middle, number, printable
from synapse_otel.ui.printed.page import Lines, Page, hanging, heading

ROWS: Final = 40
SINGLE: Final = 60
_LEAST_CURVE: Final = 8
_MOST_CURVE: Final = 48
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_LOWER_IS_BETTER: Final = frozenset(
    {
        "loss", "losses", "error", "errors", "err", "mae", "mse", "rmse", "mape", "nll", "perplexity", "ppl", "wer",
        "cer", "fid", "cost", "divergence", "kl", "distance", "latency", "duration", "seconds", "time",
    }
)  # fmt: skip


class _Row(NamedTuple):
    category: str
    name: str
    series: Series
    first: str
    best: str
    last: str
    samples: str


def is_lower_better(name: str) -> bool:
    """Return whether the best value of a metric is its lowest, as far as its name tells."""
    return not _LOWER_IS_BETTER.isdisjoint(word.lower() for word in _WORDS.findall(name))


def sparkline(values: Sequence[float], width: int, levels: str) -> str:
    """Return a curve in at most ``width`` cells; where there are more values, each cell is the mean of its share."""
    count = len(values)
    if count > width:
        edges = [at * count // width for at in range(width + 1)]
        values = [sum(values[begin:end]) / (end - begin) for begin, end in pairwise(edges)]
    low, high = min(values), max(values)
    top = len(levels) - 1
    if high == low:
        return levels[top // 2] * len(values)
    return "".join(levels[round((value - low) / (high - low) * top)] for value in values)


def curves(page: Page) -> Lines:
    """Yield the lines of the section."""
    found = page.recording.curves
    if not found:
        return
    drawn = [(key, series) for key, series in found.items() if len(series) > 1]
    if drawn:
        yield from _table(page, [_row(category, name, series, page) for (category, name), series in drawn[:ROWS]])
    else:
        yield heading("Metrics")
    if len(drawn) > ROWS:
        yield page.more(len(drawn) - ROWS, "metrics")
    yield from _single(page, [(key, series.values[0]) for key, series in found.items() if len(series) == 1])


def _single(page: Page, values: list[tuple[tuple[str, str], float]]) -> Lines:
    """Yield the metrics that have one value only, as many on a line as there is room for."""
    by_category: dict[str, list[str]] = {}
    for (category, name), value in values[:SINGLE]:
        by_category.setdefault(printable(category), []).append(f"{printable(name)}={number(value)}")
    for category, parts in by_category.items():
        head = Text.assemble("  ", (f"{category} " if category else "", "cyan"))
        yield from hanging(head, Text("  ".join(parts)), page)
    if len(values) > SINGLE:
        yield page.more(len(values) - SINGLE, "metrics with one value")


def _table(page: Page, rows: list[_Row]) -> Lines:
    label = min(max(cell_len(row.category) + cell_len(row.name) + 1 for row in rows), max(page.width // 4, 14))
    columns = _columns(page)
    widths = [max([len(getattr(row, name)) for row in rows] + [len(title)]) for name, title in columns]
    curve = page.width - 2 - label - sum(width + 2 for width in widths) - 1
    curve = min(max(curve, _LEAST_CURVE), _MOST_CURVE, max(len(row.series) for row in rows))
    yield _titles(columns, widths, label + curve + 3)
    for row in rows:
        yield _line(page, row, label, curve, list(zip([name for name, _title in columns], widths, strict=True)))


def _columns(page: Page) -> list[tuple[str, str]]:
    columns = [("first", "first"), ("best", "best"), ("last", "last"), ("samples", "samples")]
    return [column for column in columns if not page.narrow or column[0] in {"best", "last"}]


def _row(category: str, name: str, series: Series, page: Page) -> _Row:
    values = series.values
    lower = is_lower_better(name)
    best = f"{'min' if lower else 'max'} {number(min(values) if lower else max(values))}"
    count = f"{page.glyphs.times}{len(values):,}" if page.narrow else f"{len(values):,}"
    return _Row(printable(category), printable(name), series, number(values[0]), best, number(values[-1]), count)


def _titles(columns: list[tuple[str, str]], widths: list[int], before: int) -> Text:
    line = heading("Metrics")
    line.pad_right(before - len(line))
    line.append("".join(f"  {title:>{width}}" for (_name, title), width in zip(columns, widths, strict=True)), "dim")
    return line


def _line(page: Page, row: _Row, label: int, curve: int, columns: list[tuple[str, int]]) -> Text:
    line = Text("  ")
    before = f"{row.category} " if row.category else ""
    if cell_len(before) > label // 2:
        before = f"{fitted_middle(row.category, label // 2, page.glyphs)} "
    line.append(before, "cyan")
    line.append(fitted_middle(row.name, label - cell_len(before), page.glyphs))
    drawn = sparkline(row.series.values, curve, page.glyphs.spark)
    line.append(f" {drawn.ljust(curve)}", "yellow" if is_lower_better(row.name) else "green")
    for column, width in columns:
        style = "bold" if column == "last" else "dim" if column in {"first", "samples"} else ""
        line.append(f"  {getattr(row, column):>{width}}", style)
    return line
