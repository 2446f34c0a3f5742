"""One server as a process of ours: started bound to us, stopped by its id, its output in a log."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tools.stack.bound import bound_command

_GO_ENDS: Final = ("panic: ", "fatal error: ", "unexpected fault address ")
"""Beginning of the line in which a program of Go says why it ends; the stacks below may be long."""


class Process:
    """A running server. It ends when the thread that made it ends, if nobody stops it before."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        """Start `command` with `environment` beside our own, its output appended to `log`.

        It gets a session of its own, so that Ctrl-C on the terminal reaches only us.
        """
        self.log = log
        with log.open("ab") as output:
            self._begin = output.tell()
            self._popen = subprocess.Popen(
                bound_command(list(command)),
                env=os.environ | dict(environment),
                cwd=log.parent,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._popen.pid

    @property
    def exit_status(self) -> int | None:
        """None while it runs; else what it ended with, negative for a signal."""
        return self._popen.poll()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens where it has ended."""
        self._popen.send_signal(number)

    def wait(self, timeout: float) -> None:
        """Wait up to `timeout` seconds for its end, then kill it."""
        try:
            self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()

    def last_lines(self, count: int = 15) -> str:
        """Return the end of what it has written, from where a program of Go says why it ends."""
        lines = self.log.read_bytes()[self._begin :].decode(errors="replace").splitlines()
        begin = max((at for at, line in enumerate(lines) if line.startswith(_GO_ENDS)), default=len(lines) - count)
        return "\n".join(lines[max(begin, 0) :][: 4 * count])
