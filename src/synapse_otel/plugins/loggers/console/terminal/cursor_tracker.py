"""`CursorTracker`: what others have left on the line where the cursor stands, and below it."""

from __future__ import annotations

import re
from typing import Final

from rich.cells import cell_len

_ESCAPES: Final = re.compile(r"\x1b(?:\[([0-9;?]*)([@-~])|.)")
_STEPS: Final = re.compile(r"(\n)|\x1b\[([0-9]*)([ABJ])")
_KEPT_LINES: Final = 32
_KEPT_CHARACTERS: Final = 4096


def bare(text: str) -> str:
    """Return text without the codes in it."""
    return _ESCAPES.sub("", text)


class CursorTracker:
    """Follows what is written to a terminal: whole lines, lines begun, bars of others that move the cursor.

    Attributes:
        at_end: nothing stands to the right of the cursor.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget what there was: the cursor stands on a new line."""
        self._lines = [""]
        self._row = 0
        self.at_end = True

    @property
    def below(self) -> int:
        """Lines of others below the cursor."""
        return len(self._lines) - 1 - self._row

    def begun(self) -> list[str]:
        """Return the line that the cursor stands on and those below, if anything stands on them."""
        found = self._lines[self._row :]
        return found if any(found) else []

    def fits(self, width: int) -> bool:
        """Return whether each line of `begun` takes one line of a terminal."""
        return all(cell_len(bare(line).strip("\r")) < width for line in self.begun())

    def follow(self, text: str) -> None:
        """Take in what was written."""
        start = 0
        for step in _STEPS.finditer(text):
            self._add(text[start : step.start()])
            start = step.end()
            self._step(step[3] or "B", int(step[2] or 1) if step[3] != "J" else 0, is_newline=bool(step[1]))
        self._add(text[start:])

    def _step(self, command: str, count: int, *, is_newline: bool) -> None:
        if command == "J":
            del self._lines[self._row + 1 :]
        elif command == "A":
            self._row = max(self._row - count, 0)
            self.at_end = False
        else:
            self._row += count
            self._lines += [""] * (self._row + 1 - len(self._lines)) if is_newline else []
            self._row = min(self._row, len(self._lines) - 1)
            self.at_end = self.below == 0 and not self._lines[self._row]
            excess = max(len(self._lines) - _KEPT_LINES, 0)
            del self._lines[:excess]
            self._row = max(self._row - excess, 0)

    def _add(self, text: str) -> None:
        if not text:
            return
        line = self._lines[self._row] + text
        begin = line.rfind("\r", 0, -1)
        self._lines[self._row] = line[max(begin, 0) :][-_KEPT_CHARACTERS:]
        self.at_end = not text.endswith(("\r", "\b"))
