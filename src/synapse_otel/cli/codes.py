"""The exit codes of the commands, which docs/commands.md has as a table, and a clean exit on a signal."""

from __future__ import annotations

import signal
import sys
from typing import Any, Final

PENDING: Final = 1
"""Not everything is delivered."""
UNHEALTHY: Final = 1
"""A check of the doctor failed."""
INCOMPLETE: Final = 1
"""A backend lacks a record, or holds another one."""
USAGE_ERROR: Final = 2
"""A setting, an argument, or a folder is wrong."""
SHIPPING_ALREADY: Final = 3
"""Another shipper delivers to the destination."""
UNVERIFIED: Final = 4
"""A backend could not be asked, or records are no longer on this machine: nothing else is missing."""
NOT_RUNNABLE: Final = 126
"""The command of ``run`` is there and cannot be run."""
NOT_FOUND: Final = 127
"""The command of ``run`` is not there."""
SIGNALLED: Final = 128
"""Plus the number of the signal: a shell's words for a command that a signal has ended."""


def end_in_order() -> None:
    """Let SIGTERM, and SIGHUP of a terminal that is closed, end the process as an exit does: with clean-up."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # under nohup, it goes on
            signal.signal(number, _end)


def _end(number: int, _frame: Any) -> None:
    sys.exit(SIGNALLED + number)
