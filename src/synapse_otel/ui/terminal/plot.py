"""A curve in characters: eight dots a cell where the terminal has them, one where not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from rich.text import Text

from synapse_otel.ui.formats import number
from synapse_otel.ui.glyphs import ASCII, Glyphs

_BRAILLE: Final = 0x2800
_DOTS: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""By row and column of a cell."""
_LABEL: Final = 10
AXIS: Final = _LABEL + 2
"""Cells of the vertical axis."""


class Plot:
    """What is drawn, and between which values.

    Args:
        times: of the points, rising.
        values: of the points.
        seen: the times between which it is drawn; None: from its first to its last point.
        logarithmic: whether the vertical axis is; values that are not positive are left out.
    """

    def __init__(
        self,
        times: Sequence[float],
        values: Sequence[float],
        seen: tuple[float, float] | None = None,
        *,
        logarithmic: bool = False,
    ) -> None:
        found = [
            (time, math.log10(value) if logarithmic else value)
            for time, value in zip(times, values, strict=True)
            if math.isfinite(value) and (value > 0 or not logarithmic)
        ]
        self._points = found
        self._logarithmic = logarithmic
        self._low = min((value for _time, value in found), default=0.0)
        self._high = max((value for _time, value in found), default=1.0)
        self._begin, self._end = seen or ((found[0][0], found[-1][0]) if found else (0.0, 1.0))

    def lines(self, width: int, height: int, glyphs: Glyphs) -> list[Text]:
        """Return the curve with its vertical axis, in a number of cells."""
        room = max(width - AXIS, 4)
        height = max(height, 2)
        columns, rows = (1, 1) if glyphs is ASCII else (2, 4)
        cells = [[0] * room for _ in range(height)]
        for x, y in self._dots(room * columns, height * rows):
            cells[y // rows][x // columns] |= 1 if rows == 1 else _DOTS[y % rows][x % columns]
        return [
            Text.assemble(
                (f"{self._label(at, height):>{_LABEL}} {'|' if glyphs is ASCII else '│'}", "dim"),
                ("".join(_character(cell, glyphs) for cell in line), "cyan"),
            )
            for at, line in enumerate(cells)
        ]

    def _label(self, at: int, height: int) -> str:
        if at not in {0, height - 1, height // 2}:
            return ""
        value = self._high - (self._high - self._low) * at / (height - 1)
        return number(10**value if self._logarithmic else value)

    def _dots(self, width: int, height: int) -> set[tuple[int, int]]:
        """Return the dots of the lines from point to point."""
        whole, extent = self._end - self._begin, self._high - self._low
        places = [
            (
                round((time - self._begin) / whole * (width - 1)) if whole else width // 2,
                round((self._high - value) / extent * (height - 1)) if extent else height // 2,
            )
            for time, value in self._points
        ]
        found = set(places[:1])
        for (x, y), (to_x, to_y) in pairwise(places):
            steps = max(abs(to_x - x), abs(to_y - y), 1)
            first = 0 if x >= 0 else -x * steps // max(to_x - x, 1)  # a neighbour may be far away
            last = steps if to_x < width else (width - x) * steps // max(to_x - x, 1)
            found |= {
                (round(x + (to_x - x) * at / steps), round(y + (to_y - y) * at / steps))
                for at in range(first, last + 1)
            }
        return {(x, y) for x, y in found if 0 <= x < width and 0 <= y < height}


def _character(cell: int, glyphs: Glyphs) -> str:
    if not cell:
        return " "
    return "*" if glyphs is ASCII else chr(_BRAILLE + cell)
