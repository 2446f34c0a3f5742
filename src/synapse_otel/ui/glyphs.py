"""The characters that a report is drawn with: for terminals that know Unicode, and for those that do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rich.text import Text


@dataclass(frozen=True, slots=True)
class Glyphs:
    """Characters, one cell each unless they say otherwise."""

    success: str
    failure: str
    skipped: str
    rollback: str
    running: str
    plain: str
    bar: str
    failed_bar: str
    rollback_bar: str
    running_end: str
    killed_end: str
    track: str
    branch: str
    last_branch: str
    pipe: str
    gap: str
    spark: str
    """From the lowest to the highest."""
    ellipsis: str
    dot: str
    times: str


UNICODE: Final = Glyphs(
    success="✓",
    failure="✗",
    skipped="○",
    rollback="↶",
    running="▸",
    plain="·",
    bar="━",
    failed_bar="━",
    rollback_bar="╍",
    running_end="▸",
    killed_end="✗",
    track="─",
    branch="├─ ",
    last_branch="└─ ",
    pipe="│  ",
    gap="   ",
    spark="▁▂▃▄▅▆▇█",
    ellipsis="…",
    dot=" · ",
    times="\N{MULTIPLICATION SIGN}",
)
ASCII: Final = Glyphs(
    success="+",
    failure="x",
    skipped="o",
    rollback="<",
    running=">",
    plain=".",
    bar="=",
    failed_bar="x",
    rollback_bar="<",
    running_end=">",
    killed_end="x",
    track="-",
    branch="|- ",
    last_branch="`- ",
    pipe="|  ",
    gap="   ",
    spark="_.-~=+*#",
    ellipsis="~",
    dot=" | ",
    times="x",
)

STYLES: Final = {"live": "cyan", "warn": "yellow", "bad": "red", "good": "green", "muted": "dim"}
"""By tone."""


def bar(ratio: float | None, width: int, tone: str, glyphs: Glyphs) -> Text:
    """Return a bar of a share."""
    done = min(max(int((ratio or 0) * width), 0), width)
    drawn = Text().append(glyphs.bar * done, STYLES.get(tone, ""))
    return drawn.append(glyphs.track * (width - done), "dim")


def stretch(begin: float, end: float, width: int) -> tuple[int, int]:
    """Return between which of so many cells lies what begins and ends at these shares of them: one cell at least."""
    start = min(max(int(begin * width), 0), width - 1)
    return start, min(max(round(end * width), start + 1), width)
