"""Severity numbers of log records, of OpenTelemetry's logs data model: 1 to 24, four of each name."""

from __future__ import annotations

from enum import IntEnum


class Severity(IntEnum):
    """The least number of each severity that we tell apart."""

    UNSPECIFIED = 0
    DEBUG = 5
    INFO = 9
    SUCCESS = 10
    """INFO2: what the Synapse SDK calls a success."""
    WARN = 13
    ERROR = 17
    FATAL = 21
