"""A terminal's idea of what it was sent: enough of a VT100 to tell what a person sees."""

from __future__ import annotations

import re
import unicodedata

_PARTS = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|\x1b([78DM])|([\r\n\b])|(\x1b.|.)", re.DOTALL)

_INCOMPLETE = re.compile(r"\x1b(\[[?0-9;]*)?$")


class VirtualScreen:
    """Interprets text as a terminal of a size does; what scrolls off the top is kept.

    Args:
        columns: width in cells.
        rows: height in lines.
    """

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        self.columns, self.rows = columns, rows
        self.scrolled: list[str] = []
        self.cells = [[" "] * columns for _ in range(rows)]
        self.row = self.column = 0
        self.saved = (0, 0)
        self.wraps = True
        self.cursor_is_shown = True
        self.unknown: list[str] = []
        self.pending = ""

    @property
    def lines(self) -> list[str]:
        """All lines, those scrolled off first, without what is empty at the end."""
        found = [*self.scrolled, *("".join(row).rstrip() for row in self.cells)]
        while found and not found[-1]:
            found.pop()
        return found

    def feed(self, text: str) -> None:
        """Take in what was sent to the terminal."""
        text, self.pending = self.pending + text, ""
        cut = _INCOMPLETE.search(text)
        if cut:
            text, self.pending = text[: cut.start()], cut[0]
        for arguments, command, escape, control, character in _PARTS.findall(text):
            if command:
                self._command(arguments, command)
            elif escape:
                self._escape(escape)
            elif control:
                self.column = {"\r": 0, "\b": max(min(self.column, self.columns - 1) - 1, 0)}.get(control, self.column)
                if control == "\n":
                    self._down()
            elif len(character) == 1 and (character.isprintable() or unicodedata.category(character) == "Cf"):
                self._put(character)
            else:
                self.unknown.append(character)

    def _put(self, character: str) -> None:
        width = 0 if unicodedata.combining(character) or unicodedata.category(character) in {"Cf", "Mn"} else 1
        width += width and unicodedata.east_asian_width(character) in "WF"
        if self.column + width > self.columns:
            if self.wraps:
                self.column = 0
                self._down()
            else:
                self.column = self.columns - width
        if width:
            self.cells[self.row][self.column : self.column + width] = [character, *[""] * (width - 1)]
        self.column += width

    def _down(self) -> None:
        if self.row + 1 < self.rows:
            self.row += 1
            return
        self.scrolled.append("".join(self.cells.pop(0)).rstrip())
        self.cells.append([" "] * self.columns)

    def _escape(self, escape: str) -> None:
        if escape == "7":
            self.saved = (self.row, self.column)
        elif escape == "8":
            self.row, self.column = self.saved
        elif escape == "D":
            self._down()
        else:
            self.unknown.append(escape)

    def _command(self, arguments: str, command: str) -> None:
        count = int(arguments or 1) if arguments.isdigit() or not arguments else 1
        if command in "AB":
            self.row = min(max(self.row + (count if command == "B" else -count), 0), self.rows - 1)
        elif command in "KJ" and arguments in {"", "0", "2"}:
            start = 0 if arguments == "2" else min(self.column, self.columns)
            self.cells[self.row][start:] = [" "] * (self.columns - start)
            if command == "J":
                for row in range(self.row + 1, self.rows):
                    self.cells[row] = [" "] * self.columns
        elif command in "hl" and arguments == "?7":
            self.wraps = command == "h"
        elif command in "hl" and arguments == "?25":
            self.cursor_is_shown = command == "h"
        elif command != "m":
            self.unknown.append(arguments + command)
