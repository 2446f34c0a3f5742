"""Times, numbers and texts in few characters."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

from rich.cells import cell_len, set_cell_size

from synapse_otel.ui.glyphs import Glyphs

_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86_400
_LARGE: Final = 1_000
_HUGE: Final = 100_000_000
_TINY: Final = 0.001
_TEN: Final = 10
_LEAST_MILLISECONDS: Final = 0.05
_SIZES: Final = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def duration(seconds: float) -> str:
    """Return a duration: ``<0.1 ms``, ``0.3 ms``, ``42 ms``, ``9.81 s``, ``12 m 05 s``, ``3 h 07 m``, ``2 d 04 h``."""
    if not isfinite(seconds):
        return f"{seconds:g} s"
    if seconds < 1:
        milliseconds = seconds * 1000
        if milliseconds < _LEAST_MILLISECONDS:
            return "<0.1 ms"
        return f"{milliseconds:.1f} ms" if milliseconds < 1 else f"{min(round(milliseconds), 999)} ms"
    if seconds < _MINUTE:
        return f"{seconds:.2f} s" if seconds < _TEN else f"{seconds:.1f} s"
    for larger, smaller, size, part in ((_HOUR, _MINUTE, "m", "s"), (_DAY, _HOUR, "h", "m")):
        if seconds < larger:
            unit = 1 if part == "s" else _MINUTE
            return f"{int(seconds // smaller)} {size} {int(seconds % smaller // unit):02} {part}"
    return f"{int(seconds // _DAY)} d {int(seconds % _DAY // _HOUR):02} h"


def offset(seconds: float) -> str:
    """Return a time since the job began: ``+1.25 s``, ``+1:02:05``."""
    sign = "-" if seconds < 0 else "+"
    seconds = abs(seconds)
    if seconds < _MINUTE or not isfinite(seconds):
        return f"{sign}{seconds:.2f} s"
    whole = int(seconds)
    minutes = f"{whole % _HOUR // _MINUTE:02}:{whole % _MINUTE:02}"
    return sign + (f"{whole // _HOUR}:{minutes}" if whole >= _HOUR else minutes.removeprefix("0"))


def number(value: float) -> str:
    """Return a number in four digits; whole ones whole, and ``inf`` and ``nan`` as they are."""
    if not isfinite(value):
        return f"{value:g}"
    if value == int(value) and abs(value) < _HUGE:
        return f"{int(value):,}"
    if _TINY <= abs(value) < _LARGE:
        return f"{value:.4g}"
    return f"{value:,.0f}" if _LARGE <= abs(value) < _HUGE else f"{value:.3g}"


def size(count: float) -> str:
    """Return a number of bytes."""
    return next((f"{count / unit:.1f} {name}" for unit, name in _SIZES if count >= unit), f"{count:g} B")


def clock(nanoseconds: int) -> str:
    """Return a Unix time in ns as local date and time; ``?`` for 0, which is none, and one that no calendar has."""
    if nanoseconds <= 0:
        return "?"
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(nanoseconds / 1e9))
    except (OverflowError, ValueError, OSError):
        return "?"


def printable(text: str) -> str:
    """Return text on one line, with nothing in it that a terminal would obey."""
    return "".join(character if character.isprintable() else "?" for character in " ".join(text.split()))


def path(text: str) -> str:
    """Return a path, the home folder as ``~``: a shell understands both."""
    home = os.path.expanduser("~")  # noqa: PTH111 - text to text
    inside = len(home) > 1 and text.startswith(home + os.sep)
    return printable("~" + text.removeprefix(home) if inside else text)


def fitted(text: str, width: int, glyphs: Glyphs) -> str:
    """Return text in exactly ``width`` cells, cut or filled up."""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(text, max(width - 1, 0)) + glyphs.ellipsis[:width]


def fitted_middle(text: str, width: int, glyphs: Glyphs) -> str:
    """Return text in exactly ``width`` cells, cut in the middle: the ends of names tell them apart."""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    front = max((width - 1) // 2, 0)
    back = len(text)
    while back and cell_len(text[back - 1 :]) <= width - 1 - front:
        back -= 1
    return set_cell_size(set_cell_size(text, front) + glyphs.ellipsis + text[back:], width)


def pairs(values: Mapping[str, Any]) -> str:
    """Return ``key=value`` pairs on one line."""
    return "  ".join(f"{printable(str(key))}={_value(value)}" for key, value in values.items())


def _value(value: Any) -> str:
    if isinstance(value, float):
        return number(value)
    return path(value) if isinstance(value, str) else printable(repr(value))


def shortened(worker: str) -> str:
    """Return the id of a worker as one reads it: the first digits of one of Ray's tell it apart from others."""
    return worker[:_DIGITS] if _HEXADECIMAL.fullmatch(worker) else worker


_DIGITS: Final = 8
_HEXADECIMAL: Final = re.compile(r"[0-9a-f]{16,}")
