"""One server as a process of ours: started bound to us, stopped by its id, its output in a log."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.stack.bound import bound_command


class Process:
    """A running server. It ends when the thread that made it ends, if nobody stops it before."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        """Start `command` with `environment` beside our own, its output appended to `log`.

        It gets a session of its own, so that Ctrl-C on the terminal reaches only us.
        """
        self.log = log
        with log.open("ab") as output:
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
        """Return the end of its log."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])
