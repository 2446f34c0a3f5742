"""Message contexts and log levels: the words of the Synapse SDK and their OpenTelemetry severities."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from synapse_otel._otel_private import SeverityNumber


@dataclass(frozen=True, slots=True)
class Level:
    """A level as its author wrote it, with OpenTelemetry's severity."""

    word: str
    severity: SeverityNumber
    text: str
    important: bool
    """Warnings and above always have room among a span's events."""


LEVELS: Final[dict[str, Level]] = {
    level.word: level
    for level in (
        Level("debug", SeverityNumber.DEBUG, "DEBUG", important=False),
        Level("info", SeverityNumber.INFO, "INFO", important=False),
        Level("success", SeverityNumber.INFO2, "INFO", important=False),
        Level("warning", SeverityNumber.WARN, "WARN", important=True),
        Level("danger", SeverityNumber.ERROR, "ERROR", important=True),
        Level("error", SeverityNumber.ERROR, "ERROR", important=True),
        Level("critical", SeverityNumber.FATAL, "FATAL", important=True),
    )
}


def level_of(value: object, argument: str) -> Level:
    """Return the level of a word, or of any enum whose value is such a word.

    Raises:
        ValueError: the word is unknown.
        TypeError: it is neither text nor an enum.
    """
    word = value.value if isinstance(value, Enum) else value
    if not isinstance(word, str):
        msg = f"{argument} must be one of {', '.join(LEVELS)} or a LogLevel, not {value!r}"
        raise TypeError(msg)
    level = LEVELS.get(word) or LEVELS.get(word.lower())
    if level is None:
        msg = f"{argument} must be one of {', '.join(LEVELS)}, not {value!r}"
        raise ValueError(msg)
    return level
