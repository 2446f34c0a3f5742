"""What the user of a job, or of a command, should know of its telemetry: one line on stderr each.

A line that tells of an error names the check of ``synapse-otel doctor`` that explains it.
"""

from __future__ import annotations

import logging
import sys
from enum import StrEnum
from typing import Final

from synapse_otel._guard import guarded


class Check(StrEnum):
    """The checks, in the order in which a record travels."""

    ENVIRONMENT = "environment"
    """Versions, instrumentations, who sets the providers."""
    SETTINGS = "settings"
    """Each that is not the default, where it came from, and what is wrong with it."""
    JOURNAL = "journal"
    """The folder: whether it can be written, and the room in it."""
    RUNS = "runs"
    """What waits, what was dropped, who delivers it, which runs were killed."""
    ENDPOINT = "endpoint"
    """Each of them, by sending a probe."""


def explained_by(check: Check) -> str:
    """Return what an error's line ends with."""
    return f"`synapse-otel doctor {check}` tells more"


def say(line: str) -> None:
    """Tell the job's user something about its telemetry, on stderr, if that takes anything."""
    # stderr may be None, closed, or be in the middle of a write that a signal's handler has come into.
    guarded(lambda: sys.stderr.write(f"synapse-otel: {line}\n"), otherwise=_ignored)


def warn(log: logging.Logger, text: str, *arguments: object, cause: BaseException | None = None) -> None:
    """Tell the job's user something by logging; a handler that fails, on a stream that is closed, is no reason to."""
    guarded(lambda: log.warning(text, *arguments, exc_info=cause), otherwise=_ignored)


def say_once(line: str) -> None:
    """Say what holds for the whole process, and is found out more than once."""
    if line not in _said:
        _said.add(line)
        say(line)


def _ignored(_error: Exception) -> None:
    """Do nothing about a failure: there is nobody to tell."""


_said: Final[set[str]] = set()
