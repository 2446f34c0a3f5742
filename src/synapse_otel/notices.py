"""What the user of a job, or of a command, should know of its telemetry: one line on stderr each."""

from __future__ import annotations

import logging
import sys
from typing import Final

from synapse_otel._guard import let_through


def say(line: str) -> None:
    """Tell the job's user something about its telemetry, on stderr, if that takes anything."""
    # stderr may be None, closed, or be in the middle of a write that a signal's handler has come into.
    try:
        sys.stderr.write(f"synapse-otel: {line}\n")
    except Exception as error:  # noqa: BLE001 - as above
        let_through(error)


def warn(log: logging.Logger, text: str, *arguments: object, cause: BaseException | None = None) -> None:
    """Tell the job's user something by logging; a handler that fails, on a stream that is closed, is no reason to."""
    try:
        log.warning(text, *arguments, exc_info=cause)
    except Exception as error:  # noqa: BLE001 - as above
        let_through(error)


def say_once(line: str) -> None:
    """Say what holds for the whole process, and is found out more than once."""
    if line not in _said:
        _said.add(line)
        say(line)


_said: Final[set[str]] = set()
