"""The runs as a table: complete for a pipe; as wide as the terminal otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from textwrap import wrap
from typing import Final

from rich.cells import cell_len

from synapse_otel import semconv
from synapse_otel._text import counted
from synapse_otel.cli.jobs.cells import ACCOUNT, FITTED, WHOLE, Column, word
from synapse_otel.runs import Overview
from synapse_otel.ui.formats import fitted
from synapse_otel.ui.glyphs import Glyphs

_GAP: Final = "  "
_COLOURS: Final = {
    "live": 36,
    "stalled": 33,
    "crashed": 31,
    semconv.RESULT_SUCCESS: 32,
    semconv.RESULT_FAILURE: 31,
    semconv.RESULT_ERROR: 31,
}


def whole_table(found: Sequence[Overview]) -> Iterable[str]:
    """Yield a heading and a line for each run; nothing is cut, for a pipe."""
    texts = _texts(WHOLE, found)
    widths = {name: max(map(cell_len, cells)) for name, cells in texts.items()}
    for row in zip(*texts.values(), strict=True):
        yield _line(WHOLE, widths, row)


def fitted_table(found: Sequence[Overview], width: int, glyphs: Glyphs, *, colours: bool) -> Iterable[str]:
    """Yield a heading, a line for each run, and the number of runs by state, at most ``width`` wide."""
    columns = {name: column for name, column in FITTED.items() if name not in _SELDOM or _SELDOM[name](found)}
    texts = _texts(columns, found)
    widths = _widths(columns, texts, width)
    shown = [[fitted(cell, widths[name], glyphs) for cell in texts[name]] for name in widths]
    heading, *lines = (_line(columns, widths, [cell.rstrip() for cell in row]) for row in zip(*shown, strict=True))
    yield heading
    for one, line in zip(found, lines, strict=True):
        code, end = _COLOURS.get(word(one)), widths["STATE"]
        yield f"\x1b[{code}m{line[:end]}\x1b[0m{line[end:]}" if colours and code else line
    yield ""
    yield from wrap(_total(found), width)


def _texts(columns: Mapping[str, Column], found: Sequence[Overview]) -> dict[str, list[str]]:
    return {name: [name, *map(column.text, found)] for name, column in columns.items()}


def _widths(columns: Mapping[str, Column], texts: Mapping[str, Sequence[str]], width: int) -> dict[str, int]:
    """Return the cells of each column that there is room for: long ones are cut, and then some left out."""
    widths = {name: max(map(cell_len, cells)) for name, cells in texts.items()}
    while len(widths) > 1 and sum(widths.values()) + len(_GAP) * (len(widths) - 1) > width:
        easily = [name for name in widths if widths[name] > columns[name].easy > 0]
        hardly = [name for name in widths if widths[name] > columns[name].least > 0]
        last = max(widths, key=lambda name: columns[name].rank)
        if easily or (hardly and columns[last].rank < ACCOUNT):
            widths[max(easily or hardly, key=widths.__getitem__)] -= 1
        else:
            del widths[last]
    return widths


def _line(columns: Mapping[str, Column], widths: Mapping[str, int], cells: Sequence[str]) -> str:
    padded = []
    for (name, width), cell in zip(widths.items(), cells, strict=True):
        rest = " " * (width - cell_len(cell))
        padded.append(rest + cell if columns[name].is_number else cell + rest)
    return _GAP.join(padded).rstrip()


def _total(found: Sequence[Overview]) -> str:
    count = Counter(word(one) for one in found)
    states = ", ".join(f"{many:,} {each}" for each, many in count.most_common())
    pending = sum(one.account.pending for one in found)
    waiting = f"; {pending:,} records pending" if pending else ""
    return f"{counted(len(found), 'run')}: {states}{waiting}"


_SELDOM: Final[dict[str, Callable[[Sequence[Overview]], bool]]] = {
    "DROPPED": lambda found: any(one.account.lost for one in found),
    "ATTEMPT": lambda found: any(one.attempts > 1 for one in found),
    "TAGS": lambda found: any(one.tags for one in found),
}
"""Columns that are shown only where there is something in them."""
