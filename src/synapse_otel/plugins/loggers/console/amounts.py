"""How far, how fast and how long, in few characters."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from synapse_otel.plugins.loggers.track import Track

_SIZES: Final = ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k"))
"""From which amount on a number is shown in which size."""
_MINUTE: Final = 60
_HOUR: Final = 3600


def percent(track: Track) -> str:
    """Return the share done, never 100 before all of it is."""
    return f"{int(track.share * 100):>3}%"


def count(track: Track) -> str:
    """Return the items done and those that there are."""
    return f"{number(track.current)}/{number(track.total)}"


def rate(track: Track) -> str:
    """Return the items a second, or a minute where they are slow; empty if not known."""
    value = track.rate
    if value is None:
        return ""
    return f"{number(round(value, 1))}/s" if value >= 1 else f"{value * _MINUTE:.1f}/min"


def remaining(track: Track, *, over: bool = False) -> str:
    """Return the time left, of an ended track the time taken; empty if not known.

    Args:
        track: the progress.
        over: nothing more comes, as after a failure: there is no time left.
    """
    if track.ended_seconds is not None:
        return f"took {duration(track.elapsed_seconds)}"
    if over:
        return f"stopped after {duration(track.elapsed_seconds)}"
    seconds = track.remaining_seconds
    return "" if seconds is None else f"eta {duration(seconds)}"


def number(value: float) -> str:
    """Return a number; a large one shortened."""
    for least, size, letter in _SIZES:
        if abs(value) >= least:
            return f"{value / size:.4g}{letter}"
    return f"{value:.6g}"


def duration(seconds: float) -> str:
    """Return a time as ``m:ss`` or ``h:mm:ss``; a short one in seconds."""
    if seconds < 10 or not isfinite(seconds):  # noqa: PLR2004 - below, a tenth of a second matters
        return f"{seconds:.1f}s"
    whole = int(seconds)
    minutes = f"{whole % _HOUR // _MINUTE:02}:{whole % _MINUTE:02}"
    return f"{whole // _HOUR}:{minutes}" if whole >= _HOUR else minutes.removeprefix("0")


def progress_parts(track: Track, *, over: bool = False) -> list[str]:
    """Return share, count, rate and time of a track; ``over`` as of `remaining`."""
    return [percent(track).strip(), count(track), rate(track), remaining(track, over=over)]
