"""Passing a command's standard error on as it is, and keeping its last lines."""

from __future__ import annotations

import os
import re
import select
import sys
import termios
import tty
from contextlib import suppress
from threading import Thread
from typing import Final

from synapse_otel.redaction import redact_text

_CHUNK: Final = 1 << 16
_KEPT_BYTES: Final = 1 << 15
_LINE_LIMIT: Final = 1_000
_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[0-?@-Z\\-_])")
_CAT: Final = "/bin/cat"
_BARS: Final = re.compile(r"\x1b\[\?7l.*?(?:\x1b\[\?7h|\Z)", re.DOTALL)
"""Text written without line wrap: the bars of a console, above which other lines scroll."""
STDERR: Final = 2


class StderrTap:
    """A pipe for a command's standard error, or a terminal if ours is one; its output is forwarded to ours.

    `end` is the command's end; None if nothing is to be kept, or there is no standard error: then the command gets
    ours. The command's terminal is raw: its output is unchanged, and the real terminal interprets it.
    """

    def __init__(self, lines: int) -> None:
        self._lines = lines
        self._kept = b""
        self._thread: Thread | None = None
        self._over = False
        self.end: int | None = None
        if lines <= 0 or not _is_open(STDERR):
            return
        self._is_terminal = os.isatty(STDERR)
        if self._is_terminal:
            self._source, self.end = os.openpty()
            tty.setraw(self.end)
            self.resize()
        else:
            self._source, self.end = os.pipe()
        self._stopped, self._stop = os.pipe()

    def start(self) -> None:
        """Begin to pass on; the command has been started."""
        if self.end is not None:
            os.close(self.end)
            self._thread = Thread(target=self._pass_on, name="stderr", daemon=True)
            self._thread.start()

    def resize(self) -> None:
        """Give the command's terminal the size of the real one."""
        if self.end is not None and self._is_terminal:
            with suppress(OSError, termios.error):  # a terminal without a size, or one that has gone away
                termios.tcsetwinsize(self._source, termios.tcgetwinsize(STDERR))

    def finish(self, seconds: float) -> list[str]:
        """Forward the rest for an ended command, and return its last lines.

        Processes that it left behind keep their standard error: another process keeps forwarding it.
        """
        if self._thread is None:
            return []
        os.close(self._stop)
        self._thread.join(seconds)
        if not self._thread.is_alive() and not self._over:
            self._hand_over()
        return last_lines(self._kept, self._lines)

    def _pass_on(self) -> None:
        poll = select.poll()
        poll.register(self._source, select.POLLIN)
        poll.register(self._stopped, select.POLLIN)
        stopped = False
        while True:
            ready = {descriptor for descriptor, _event in poll.poll(0 if stopped else None)}
            if self._source in ready:
                if not self._pass_chunk():
                    self._over = True
                    os.close(self._source)
                    return
            elif stopped:
                return
            if self._stopped in ready and not stopped:
                stopped = True
                poll.unregister(self._stopped)

    def _pass_chunk(self) -> bool:
        """Forward available output; return False at the end of the command's output or of the reader."""
        try:
            data = os.read(self._source, _CHUNK)
        except OSError:
            data = b""  # what a terminal says when nobody has its other end open any more
        if not data:
            return False
        self._kept = (self._kept + data)[-_KEPT_BYTES:]
        try:
            while data:
                data = data[_write(data) :]
        except OSError:
            return False  # nobody listens: the command is to see it as it would without us
        return True

    def _hand_over(self) -> None:
        with suppress(OSError):  # without a cat they write into nothing
            duplicate = [(os.POSIX_SPAWN_DUP2, self._source, 0), (os.POSIX_SPAWN_DUP2, STDERR, 1)]
            os.posix_spawn(_CAT, [_CAT], os.environ, file_actions=duplicate, setsigmask=())


def last_lines(text: bytes, count: int) -> list[str]:
    """Return at most ``count`` last lines of a command's output, as a reader saw them, with secrets redacted."""
    lines = []
    for line in _BARS.sub("", text.decode("utf-8", "replace")).split("\n")[-4 * count :]:
        shown = line.rstrip("\r").rpartition("\r")[2]  # a progress bar overwrites itself
        shown = "".join(part for part in _ESCAPES.sub("", shown) if part.isprintable() or part == "\t").rstrip()
        if shown:
            lines.append(redact_text(shown[:_LINE_LIMIT]))
    return lines[-count:]


def _write(data: bytes) -> int:
    """Write to our standard error, even if it is non-blocking."""
    try:
        return os.write(STDERR, data)
    except BlockingIOError:
        select.select([], [STDERR], [])
        return 0


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return sys.stderr is not None
