"""Every metric as a small curve, with its first, best and last value."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from rich.cells import cell_len
from rich.text import Text

from synapse_otel.recording import Series
from synapse_otel.report.page import Lines, Page, heading
from synapse_otel.report.words import fitted, number, printable

ROWS: Final = 40
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
    count: str


def is_lower_better(name: str) -> bool:
    """Say whether the best value of a metric is its lowest, as far as its name tells."""
    return not _LOWER_IS_BETTER.isdisjoint(word.lower() for word in _WORDS.findall(name))


def sparkline(values: Sequence[float], width: int, levels: str) -> str:
    """Return a curve in at most ``width`` cells; where there are more values, each cell is the mean of its share."""
    count = len(values)
    if count > width:
        edges = [at * count // width for at in range(width + 1)]
        values = [
            sum(values[begin:end]) / (end - begin) for begin, end in zip(edges, edges[1:], strict=False)
        ]
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
    rows = [_row(category, name, series, page) for (category, name), series in list(found.items())[:ROWS]]
    label = min(max(cell_len(row.category) + cell_len(row.name) + 1 for row in rows), max(page.width // 4, 14))
    columns = _columns(page)
    widths = [max([len(getattr(row, name)) for row in rows] + [len(title)]) for name, title in columns]
    curve = page.width - 2 - label - sum(width + 2 for width in widths) - 1
    curve = min(max(curve, _LEAST_CURVE), _MOST_CURVE)
    yield _titles(columns, widths, label + curve + 3)
    for row in rows:
        yield _line(page, row, label, curve, columns, widths)
    if len(found) > len(rows):
        yield page.more(len(found) - len(rows), "metrics")


def _columns(page: Page) -> list[tuple[str, str]]:
    columns = [("first", "first"), ("best", "best"), ("last", "last"), ("count", "samples")]
    return [column for column in columns if not page.narrow or column[0] in {"best", "last"}]


def _row(category: str, name: str, series: Series, page: Page) -> _Row:
    values = series.values
    first, best = "", ""
    if len(values) > 1:
        lower = is_lower_better(name)
        first = number(values[0])
        best = f"{'min' if lower else 'max'} {number(min(values) if lower else max(values))}"
    count = f"{page.glyphs.times}{len(values):,}" if page.narrow else f"{len(values):,}"
    return _Row(printable(category), printable(name), series, first, best, number(values[-1]), count)


def _titles(columns: list[tuple[str, str]], widths: list[int], before: int) -> Text:
    line = heading("Metrics")
    line.pad_right(before - len(line))
    line.append("".join(f"  {title:>{width}}" for (_name, title), width in zip(columns, widths, strict=True)), "dim")
    return line


def _line(
    page: Page, row: _Row, label: int, curve: int, columns: list[tuple[str, str]], widths: list[int]
) -> Text:
    line = Text("  ")
    name = Text()
    if row.category:
        name.append(f"{row.category} ", "cyan")
    name.append(row.name)
    shown = fitted(name.plain, label, page.glyphs)
    cut = len(row.category) + 1 if row.category else 0
    line.append(shown[:cut], "cyan")
    line.append(shown[cut:])
    line.append(" ")
    drawn = sparkline(row.series.values, curve, page.glyphs.spark) if len(row.series) > 1 else ""
    line.append(drawn.ljust(curve), "green" if not is_lower_better(row.name) else "yellow")
    for (column, _title), width in zip(columns, widths, strict=True):
        style = "bold" if column == "last" else "dim" if column in {"first", "count"} else ""
        line.append(f"  {getattr(row, column):>{width}}", style)
    return line
