"""Records Python's ``logging`` without adding a handler.

Two methods of `logging.Logger` are wrapped. So the root logger keeps the host's handlers and level, and
`logging.lastResort`, `logging.basicConfig` and `logging.config` work as without us.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from synapse_otel.mapping.python_logging.handler import RecordingHandler

_OTHERS: Final = frozenset({"LoggingHandler", "LogfireLoggingHandler"})
_DEPTH: Final = 8
"""Maximum depth of nested records: a record may be created while another one is recorded."""


class Capture:
    """Records, in the span of their caller, the records from a level on that a handler of the root logger would get."""

    def __init__(self, level: int) -> None:
        self._level = level
        self._handler = RecordingHandler(level)
        self._depth = threading.local()
        self._on = True
        is_enabled, call_handlers = logging.Logger.isEnabledFor, logging.Logger.callHandlers
        wanted = range(level, logging.WARNING)

        @wraps(is_enabled)
        def is_enabled_for(logger: logging.Logger, level: int) -> bool:
            """Also enable levels to be recorded, if logging is not configured."""
            return is_enabled(logger, level) or (level in wanted and self._on and _asks_for_nothing(logger, level))

        @wraps(call_handlers)
        def call_handlers_and_record(logger: logging.Logger, record: logging.LogRecord) -> None:
            level = record.levelno
            if level in wanted and _is_for_us_only(logger, record, is_enabled):
                self._record(logger, record)
                return
            try:
                call_handlers(logger, record)
            finally:
                if level >= self._level:
                    self._record(logger, record)

        self._methods: dict[str, tuple[Any, Any]] = {
            "isEnabledFor": (is_enabled, is_enabled_for),
            "callHandlers": (call_handlers, call_handlers_and_record),
        }
        for name, (_theirs, ours) in self._methods.items():
            setattr(logging.Logger, name, ours)

    def end(self) -> None:
        """Stop recording, and restore the methods, unless other code has wrapped them since."""
        self._on = False
        for name, (theirs, ours) in self._methods.items():
            if getattr(logging.Logger, name) is ours:
                setattr(logging.Logger, name, theirs)

    def _record(self, logger: logging.Logger, record: logging.LogRecord) -> None:
        if not self._on or not _reaches_root(logger):
            return
        depth = getattr(self._depth, "value", 0)
        if depth < _DEPTH:
            self._depth.value = depth + 1
            try:
                self._handler.emit(record)
            finally:
                self._depth.value = depth


def _reaches_root(logger: logging.Logger) -> bool:
    above: logging.Logger | None = logger
    while above is not None:
        if not above.propagate:
            return above.parent is None
        above = above.parent
    return True


def _asks_for_nothing(logger: logging.Logger, level: int) -> bool:
    """Return whether a record below WARNING is hidden only because logging is not configured."""
    if logger.disabled or logger.manager.disable >= level:
        return False
    above = logger
    while above.parent is not None:
        if above.level:
            return False
        above = above.parent
    return above.level == logging.WARNING and not above.handlers


def _is_for_us_only(
    logger: logging.Logger, record: logging.LogRecord, is_enabled: Callable[[logging.Logger, int], bool]
) -> bool:
    """Return whether a record exists only because we enabled its level."""
    if is_enabled(logger, record.levelno) or record.name != logger.name:
        return False
    return record.process in {None, os.getpid()} and _asks_for_nothing(logger, record.levelno)


_current: Final[list[Capture]] = []


def capture_logging(level: int) -> None:
    """Record Python's ``logging``, from ``level`` on, until `end_capture`.

    If logging is not configured, that level is enabled for recording, and the visible output does not change. If the
    host has configured logging, or does so later, its levels apply. Records of a logger that does not propagate are not
    recorded, as with OpenTelemetry's own handler.
    """
    if not _current and not any(type(handler).__name__ in _OTHERS for handler in logging.getLogger().handlers):
        _current.append(Capture(level))  # else another instrumentation records them


def end_capture() -> None:
    """Leave Python's ``logging`` as it was."""
    while _current:
        _current.pop().end()


def is_captured() -> bool:
    """Return whether Python's ``logging`` is recorded."""
    return bool(_current)


__all__ = ["Capture", "capture_logging", "end_capture", "is_captured"]
