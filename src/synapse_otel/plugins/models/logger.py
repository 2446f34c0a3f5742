"""Plain values that loggers take and give: the level of a record, a snapshot of progress, a record as data."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, NotRequired, TypedDict

__all__ = ["LEVELS", "LogEntry", "LogLevel", "MessageLogData", "ProgressData", "level_named"]


class LogLevel(str, Enum):  # noqa: UP042 - the SDK's: a StrEnum would print as its bare word
    """How a record is meant: what its author wants the reader to feel about it."""

    DEBUG = "debug"
    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    DANGER = "danger"
    ERROR = "error"
    CRITICAL = "critical"

    __hash__ = str.__hash__  # an enum's own is a function in Python, and finds no word in a dictionary


LEVELS: Final[dict[object, LogLevel]] = {level.value: level for level in LogLevel}
"""The levels by their words; a level is found by itself too."""


def level_named(level: object) -> LogLevel:
    """Return the level of a word in any case, or of any enum whose value is such a word.

    Raises:
        ValueError: ``level`` names none.
    """
    word = level.value if isinstance(level, Enum) else level
    known = LEVELS.get(word) or (LEVELS.get(word.lower()) if isinstance(word, str) else None)
    if known is None:
        msg = f"level must be one of {', '.join(each.value for each in LogLevel)} or a LogLevel, not {level!r}"
        raise ValueError(msg)
    return known


@dataclass
class ProgressData:
    """How far one category has come.

    Attributes:
        percent: share done, 0 to 100.
        time_remaining: estimated seconds until it is complete; None as long as nothing is done.
        elapsed_time: seconds since the category began.
        status: ``running`` or ``failed``.
    """

    percent: float
    time_remaining: float | None = None
    elapsed_time: float | None = None
    status: str = "running"


class MessageLogData(TypedDict):
    """Data of a ``message`` record.

    Attributes:
        content: the text that the user reads.
        key: code of a localised message.
    """

    content: str
    key: NotRequired[str]


@dataclass
class LogEntry:
    """A record as plain data, for loggers that send or keep records themselves.

    Attributes:
        event: name of the event.
        data: what belongs to it.
        timestamp: Unix time in seconds.
        file: path of a file that the event is about.
        step: step or category that the record belongs to.
        level: how it is meant.
        language: ISO 639-1 code of the text's language.
    """

    event: str
    data: dict[str, Any]
    timestamp: float = field(default_factory=time.time)
    file: str | None = None
    step: str | None = None
    level: LogLevel | None = None
    language: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the entry with its level as a word; without a language if it has none."""
        entry: dict[str, Any] = {
            "event": self.event,
            "data": self.data,
            "timestamp": self.timestamp,
            "file": self.file,
            "step": self.step,
            "level": self.level.value if self.level is not None else None,
        }
        if self.language is not None:
            entry["language"] = self.language
        return entry
