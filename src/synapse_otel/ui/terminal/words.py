"""What a run's values are called and how they are coloured: few words, and none that a terminal would obey."""

from __future__ import annotations

from collections.abc import Iterator
from time import time
from typing import Any, Final

from rich.cells import cell_len
from rich.text import Text

from synapse_otel.runs.live.entry import Json
from synapse_otel.ui.formats import duration, number, printable
from synapse_otel.ui.glyphs import STYLES, Glyphs

REMOVED: Final = "Delivered and removed from this machine."
_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86_400
_NOW: Final = 5
_TEN: Final = 10
_SHOWN: Final = 12
"""Attributes of a record that stand on its line."""


def now_ms() -> float:
    """Return the time as rows have it: Unix milliseconds."""
    return time() * 1000


def title(row: Json) -> str:
    """Return what a run is called."""
    return printable(row["name"] or row["id"])


def attempt(row: Json) -> str:
    """Return which run of its job a run is."""
    return f"attempt {row['attempts'].index(row['id']) + 1} of {len(row['attempts'])}"


def work(row: Json) -> str:
    """Return what a run does: action, plugin and version; of several attempts, which one it is."""
    found = [f"{row['action']} {row['plugin']} {row['version']}".strip(), *(f"#{tag}" for tag in row["tags"])]
    if row["attempts"]:
        found.append(attempt(row))
    if row["jobs"] > 1:
        found.append(f"{row['jobs']} jobs")
    return printable("  ".join(part for part in found if part))


def mark(tone: str, glyphs: Glyphs) -> str:
    """Return the sign of a tone: colour alone says nothing to some."""
    signs = {"live": glyphs.running, "warn": "!", "bad": glyphs.failure, "good": glyphs.success}
    return signs.get(tone, glyphs.skipped)


def pill(row: Json, glyphs: Glyphs) -> Text:
    """Return what became of a run."""
    return Text().append(f"{mark(row['tone'], glyphs)} {printable(row['word'])}", STYLES.get(row["tone"], ""))


def lives(row: Json) -> bool:
    """Return whether a run's process lives."""
    return row["state"] in {"live", "stalled"}


def lasted(row: Json, now: float) -> float:
    """Return how long a run has taken, in seconds."""
    end = row["end"] if row["end"] is not None else now if lives(row) else row["last"]
    return float(max(end - row["start"], 0)) / 1000


def remaining(progress: Json, now: float) -> float | None:
    """Return the seconds to go, counted down between two reports; None where they are not known."""
    if progress["eta"] is None or (progress["ratio"] or 0) >= 1:
        return None
    return float(max(progress["eta"] - max(now - progress["time"], 0) / 1000, 0))


def percent(ratio: float | None) -> str:
    """Return a share, 100 % only where it is."""
    if ratio is None:
        return "-"
    value = ratio * 100
    if 0 < value < _TEN:
        return f"{value:.1f}%"
    return f"{int(value) if value >= 100 else min(round(value), 99)}%"  # noqa: PLR2004 - of percent


def rate(per_second: float | None) -> str:
    """Return a rate in the unit in which it is no fraction."""
    if per_second is None:
        return ""
    if per_second >= 1 or per_second == 0:
        return f"{number(round(per_second, 1))}/s"
    per_minute = per_second * _MINUTE
    return f"{number(round(per_minute, 1))}/min" if per_minute >= 1 else f"{number(round(per_second * _HOUR, 1))}/h"


def ago(when: float, now: float) -> str:
    """Return how long ago a Unix time in ms was, in its largest unit."""
    seconds = max(now - when, 0) / 1000
    if seconds < _NOW:
        return "just now"
    for size, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= size:
            return f"{int(seconds // size):,} {unit} ago"
    return f"{int(seconds)} s ago"


def pace(progress: Json, now: float, *, running: bool) -> str:
    """Return rate and time left."""
    parts = [rate(progress["rate"])]
    if running and (left := remaining(progress, now)) is not None:
        parts.append(f"{duration(left)} left")
    return "  ".join(part for part in parts if part)


def folded(line: Text, width: int) -> Iterator[Text]:
    """Yield a line in parts that fit into so many cells."""
    width, begin, taken = max(width, 2), 0, 0
    if line.cell_len <= width:
        yield line
        return
    plain, space = line.plain, 0
    for at, character in enumerate(plain):
        size = cell_len(character)
        if taken + size > width:
            end = space if space > begin + width // 2 else at  # between two words, where there is a place
            yield line[begin:end]
            begin, taken = end, cell_len(plain[end:at])
        if character == " ":
            space = at + 1
        taken += size
    yield line[begin:]


def shown(value: Any) -> str:
    """Return a value on one line."""
    if isinstance(value, float):
        return number(value)
    return printable(value if isinstance(value, str) else repr(value))


def printable_line(text: str) -> str:
    """Return a line with its spaces, and with nothing in it that a terminal would obey."""
    return "".join(character if character.isprintable() else " " if character == "\t" else "?" for character in text)


def summary(row: Json) -> str:
    """Return a record on one line."""
    parts = [row["event"]] if row["kind"] == "event" else []
    if row["kind"] == "logging" and row["scope"]:
        parts.append(f"{row['scope']}:")
    if row["text"] and not (row["kind"] == "event" and row["text"] == row["event"]):
        parts.append(row["text"][:500])
    parts += [f"{key}={shown(value)[:120]}" for key, value in list(row["data"].items())[:_SHOWN]]
    return printable("  ".join([*parts, row["file"]]))
