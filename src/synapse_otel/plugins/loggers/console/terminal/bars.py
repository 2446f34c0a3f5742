"""Progress as bars, one a row, such that all of them fit a window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len, set_cell_size

from synapse_otel.plugins.loggers.console import amounts
from synapse_otel.plugins.loggers.console.escaping import escaped
from synapse_otel.plugins.loggers.console.lines import Line

if TYPE_CHECKING:
    from synapse_otel.plugins.loggers.track import Track

_GAP: Final = "  "
_LABEL_SHARE: Final = 4
_LABEL_LEAST: Final = 6
_BAR_LEAST: Final = 8
_BAR_MOST: Final = 40
_PERCENT: Final = 4
_TIME: Final = len("eta 59:59")
_RATE: Final = len("9999.9/s")


@dataclass(frozen=True, slots=True)
class Glyphs:
    """What a bar is drawn with, one cell each."""

    done: str
    half: str
    left: str
    ellipsis: str


UNICODE: Final = Glyphs("━", "╸", "─", "…")
ASCII: Final = Glyphs("=", "-", "-", "~")


def glyphs_for(encoding: str) -> Glyphs:
    """Return what an encoding can write."""
    try:
        f"{UNICODE.done}{UNICODE.half}{UNICODE.left}{UNICODE.ellipsis}".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE


def bar_rows(
    tracks: Sequence[tuple[str | None, Track]], width: int, height: int, glyphs: Glyphs, *, over: bool = False
) -> list[Line]:
    """Return a row for each category: in half of the window at most, so the newest ones and how many more there are.

    A row has its name and share at least, and as much of bar, remaining time, rate and count as there is room for.

    Args:
        tracks: categories with their progress.
        width: of the window in cells.
        height: of the window in lines.
        glyphs: what to draw with.
        over: nothing more comes: there is no time left.
    """
    room = max(height // 2, 1)
    hidden = len(tracks) - room
    if hidden > 0:
        tracks = tracks[-max(room - 1, 1) :]
    rows = [_Row(escaped(category or "total"), track, over=over) for category, track in tracks]
    rest = width - 1 - _PERCENT
    label = min(max(cell_len(row.label) for row in rows), max(width // _LABEL_SHARE, _LABEL_LEAST), max(rest, 1))
    rest -= label
    columns = _columns(rows, rest - 1 - _BAR_LEAST if rest > _BAR_LEAST else rest)
    bar = min(rest - 1 - sum(columns.values()), _BAR_MOST) if rest > _BAR_LEAST else 0
    found = [row.line(label, bar, columns, glyphs) for row in rows]
    if hidden > 0 and room > 1:
        found.append([(f"{glyphs.ellipsis} and {hidden + 1} more"[:width], "dim")])
    return found


def _columns(rows: list[_Row], rest: int) -> dict[str, int]:
    """Return the columns that there is room for, most useful first, with the cells that each takes."""
    found = {}
    for name, least in (("remaining", _TIME), ("rate", _RATE), ("count", 0)):
        needed = max(least, *(len(getattr(row, name)) for row in rows)) + len(_GAP)
        if needed > rest:
            break
        rest -= needed
        found[name] = needed
    return found


class _Row:
    """The texts of a category."""

    def __init__(self, label: str, track: Track, *, over: bool) -> None:
        self.label = label
        self.failed = track.failed
        self.share = min(max(track.share, 0.0), 1.0)
        self.percent = amounts.percent(track)
        self.count = amounts.count(track).rjust(2 * len(amounts.number(track.total)) + 1)
        self.rate = amounts.rate(track)
        self.remaining = amounts.remaining(track, over=over)

    def line(self, label: int, bar: int, columns: dict[str, int], glyphs: Glyphs) -> Line:
        """Return the row; a label too long for its column is cut."""
        cut = self.label
        if cell_len(cut) > label:
            cut = set_cell_size(cut, label - 1) + glyphs.ellipsis
        pieces: Line = [(set_cell_size(cut, label), "cyan")]
        if bar:
            halves = round(self.share * bar * 2)
            full, half = divmod(halves, 2)
            done = glyphs.done * full + glyphs.half * half
            pieces += [(" ", ""), (done, "red" if self.failed else "green"), (glyphs.left * (bar - len(done)), "dim")]
        pieces.append((f" {self.percent}", ""))
        for name in ("count", "rate", "remaining"):
            if name in columns:
                pieces.append((_GAP + getattr(self, name).ljust(columns[name] - len(_GAP)), "dim"))
        return pieces
