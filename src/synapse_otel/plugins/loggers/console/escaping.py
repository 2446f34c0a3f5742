"""Text of a plugin as it may be shown: nothing in it moves a cursor, rings, or pretends to be another line."""

from __future__ import annotations

from typing import Final

_JOINERS: Final = "\u200c\u200d"
"""Not printable by themselves, but the letters and emoji around them need them."""
_TAB: Final = "    "


def escaped(text: str) -> str:
    r"""Return text on one line; control characters as Python writes them, ``\x1b``."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in _JOINERS else _escape(one) for one in text)


def lines_of(text: str) -> list[str]:
    """Return the lines of a text, each escaped; an end of line at its end is none."""
    if text.isprintable():
        return [text]
    return [escaped(line.replace("\t", _TAB)) for line in text.replace("\r\n", "\n").rstrip("\n").split("\n")]


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
