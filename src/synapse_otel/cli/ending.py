"""Exits cleanly on a signal: removes temporary files."""

from __future__ import annotations

import signal
import sys
from typing import Any

from synapse_otel.cli.codes import SIGNALLED


def end_in_order() -> None:
    """Let SIGTERM, and SIGHUP of a terminal that is closed, end the process as an exit does: with clean-up."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # under nohup, it goes on
            signal.signal(number, _end)


def _end(number: int, _frame: Any) -> None:
    sys.exit(SIGNALLED + number)
