"""What a benchmark finds: tables, and the bars that it holds or misses; for a terminal and for a page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"


@dataclass(frozen=True)
class Bar:
    """A promise, and what was found."""

    what: str
    wanted: str
    found: str
    met: bool


@dataclass
class Table:
    """What one benchmark has found. The first column is text, the others are numbers with their units in the head."""

    name: str
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: str = ""
    bars: Sequence[Bar] = ()


def show(table: Table) -> None:
    """Print a table, and its bars below it."""
    rich = RichTable(title=table.title, title_justify="left")
    for place, column in enumerate(table.head):
        rich.add_column(column, justify="right" if place else "left")
    for row in table.rows:
        rich.add_row(*row)
    console = Console(width=max(Console().width, 140), highlight=False)
    console.print()
    console.print(rich)
    if table.notes:
        console.print(table.notes, markup=False, soft_wrap=True)
    for bar in table.bars:
        console.print(
            f"{'met   ' if bar.met else 'MISSED'} {bar.what}: {bar.found}, bar {bar.wanted}",
            markup=False,
            soft_wrap=True,
        )


def bars_table(tables: Iterable[Table]) -> Table:
    """Return all bars of several tables as one."""
    bars = [bar for table in tables for bar in table.bars]
    rows = [(bar.what, bar.wanted, bar.found, "yes" if bar.met else "**no**") for bar in bars]
    return Table("bars", "Every bar", ("what", "bar", "measured", "met"), rows)


def markdown(table: Table) -> str:
    """Return a table for the page."""
    lines = [
        _line(table.head),
        _line(["---"] + ["---:"] * (len(table.head) - 1)),
        *(_line([cell.replace("|", "\\|") for cell in row]) for row in table.rows),
    ]
    return "\n".join(lines) + (f"\n\n{table.notes}" if table.notes else "")


def write(tables: Iterable[Table], page: Path = PAGE) -> list[str]:
    """Write tables into their blocks of the page; return the names of those that it has no block for."""
    text = page.read_text(encoding="utf-8")
    missing = []
    for table in tables:
        block = re.compile(rf"(?<=<!-- measured: {table.name} -->\n).*?(?=<!-- end: {table.name} -->)", re.DOTALL)
        if not block.search(text):
            missing.append(table.name)
        content = f"{markdown(table)}\n"
        text = block.sub(lambda _, content=content: content, text)
    page.write_text(text, encoding="utf-8")
    return missing


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
