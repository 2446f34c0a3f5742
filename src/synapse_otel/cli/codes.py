"""The exit codes of the commands, and a clean exit on a signal.

The table of docs/commands.md and the lines of docs/interface.txt are made of `EXIT_CODES`.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from typing import Any, Final

DONE: Final = 0
"""The command has done what it was asked for."""
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

_WRONG: Final = "a setting, an argument, a run, a file or a folder is wrong"
_READING: Final = {DONE: "what was asked for is shown or written", USAGE_ERROR: _WRONG}

EXIT_CODES: Final[Mapping[str, Mapping[int, str]]] = {
    "run": {
        DONE: "COMMAND ended with 0",
        USAGE_ERROR: "a setting or an argument is wrong; COMMAND was not started",
        NOT_RUNNABLE: "COMMAND cannot be executed",
        NOT_FOUND: "COMMAND is not found",
    },
    "ship": {
        DONE: "stopped cleanly",
        USAGE_ERROR: "a setting, an argument or a folder is wrong",
        SHIPPING_ALREADY: "another shipper delivers to this destination",
    },
    "sync": {DONE: "nothing is pending", PENDING: "something is still pending", USAGE_ERROR: _WRONG},
    "jobs": _READING,
    "show": _READING,
    "view": _READING,
    "export": _READING,
    "verify": {
        DONE: "the backends hold everything",
        INCOMPLETE: "something is missing or different",
        USAGE_ERROR: _WRONG,
        UNVERIFIED: "nothing else is missing, but not everything could be verified",
    },
    "doctor": {DONE: "no check fails", UNHEALTHY: "a check fails", USAGE_ERROR: "an argument is wrong"},
}
"""Every code that a command itself exits with, and when. ``run`` also exits as its command does."""


def end_in_order() -> None:
    """Let SIGTERM, and SIGHUP of a terminal that is closed, end the process as an exit does: with clean-up."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # under nohup, it goes on
            signal.signal(number, _end)


def _end(number: int, _frame: Any) -> None:
    sys.exit(SIGNALLED + number)
