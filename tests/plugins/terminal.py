"""Programs on a real terminal, and what a person saw of them."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

from tests.plugins.screen import VirtualScreen

SOURCE = Path(__file__).parents[2] / "src"
DEADLINE_SECONDS = 60.0
_ASIDE = {"CI", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "PYTHONIOENCODING", "PYTHONUNBUFFERED"}


def environment(**variables: str) -> dict[str, str]:
    """Return the environment of a program on a terminal of a person at home."""
    clean = {key: value for key, value in os.environ.items() if key not in _ASIDE}
    return {**clean, "PYTHONPATH": str(SOURCE), "TERM": "xterm-256color", "PYTHONUTF8": "1", **variables}


class Terminal:
    """A terminal with a program on it.

    Attributes:
        process: the program.
        screen: what it shows; brought up to date by `read`.
        text: all that was sent to it.
        seen: the lines shown after each piece that was read.
    """

    def __init__(self, program: str, *arguments: str, columns: int = 80, rows: int = 24, **variables: str) -> None:
        self._ours, theirs = pty.openpty()
        self.screen = VirtualScreen(columns, rows)
        self.resize(columns, rows, restart=False)
        self.text = ""
        self.seen: list[list[str]] = []
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment(**variables),
            preexec_fn=lambda: os.login_tty(0),  # noqa: PLW1509 - the tests have no other threads
        )
        os.close(theirs)

    def resize(self, columns: int, rows: int, *, restart: bool = True) -> None:
        """Give the window another size."""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if restart:
            self.screen = VirtualScreen(columns, rows)

    def type(self, text: str) -> None:
        """Type on its keyboard."""
        os.write(self._ours, text.encode())

    def read(self, until: str | None = None) -> None:
        """Read what the program sends, to its end or until a text has been seen."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        start = len(self.text)
        pending = b""
        while until is None or until not in self.text[start:]:
            assert time.monotonic() < deadline, f"{until!r} is not in {self.text[-2000:]!r}"
            if not select.select([self._ours], [], [], 1)[0]:
                continue
            try:
                chunk = os.read(self._ours, 65536)
            except OSError:
                return  # Linux says so when the other end of a terminal is closed
            if not chunk:
                return
            pending += chunk
            try:
                text, pending = pending.decode(), b""
            except UnicodeDecodeError:
                continue  # in the middle of a letter
            self.text += text
            self.screen.feed(text)
            self.seen.append(self.screen.lines)

    def close(self) -> int:
        """Close the terminal; the program's exit status."""
        os.close(self._ours)
        return self.process.wait(DEADLINE_SECONDS)


def shown(program: str, *arguments: str, columns: int = 80, rows: int = 24, **variables: str) -> Terminal:
    """Run a program to its end on a terminal; it must succeed."""
    terminal = Terminal(program, *arguments, columns=columns, rows=rows, **variables)
    terminal.read()
    assert terminal.close() == 0, terminal.text
    return terminal
