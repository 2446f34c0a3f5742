"""Where records of Python's ``logging`` are recorded: beside the host's handlers, none of which is ours.

Two methods of `logging.Logger` are wrapped. So the root logger has the handlers and the level that the host gives it,
and `logging.lastResort`, `logging.basicConfig` and `logging.config` do what they do without us.
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
"""How deep records are recorded that are made while another one is: by what is printed in it."""


class Capture:
    """Records, in the scope of who makes them, what a handler of the root logger would be given.

    Args:
        level: the least level that is recorded.
    """

    def __init__(self, level: int) -> None:
        self._level = level
        self._handler = RecordingHandler(level)
        self._depth = threading.local()
        self._on = True
        is_enabled, call_handlers = logging.Logger.isEnabledFor, logging.Logger.callHandlers
        wanted = range(level, logging.WARNING)

        @wraps(is_enabled)
        def is_enabled_for(logger: logging.Logger, level: int) -> bool:
            """Let through, too, what is to be recorded, where nobody has said what is to be shown."""
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
        """Record no longer, and put the methods back, unless somebody has wrapped them again."""
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
    """Say whether a record below WARNING is kept back only because nothing at all has been configured."""
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
    """Say whether a record was made because we let it through; not so one that came from elsewhere."""
    if is_enabled(logger, record.levelno) or record.name != logger.name:
        return False
    return record.process in {None, os.getpid()} and _asks_for_nothing(logger, record.levelno)


_current: Final[list[Capture]] = []


def capture_logging(level: int) -> None:
    """Record what Python's ``logging`` is told, from ``level`` on, until `end_capture`.

    Where nothing is configured, records of that level are let through to be recorded, and nothing else is shown.
    Where the host has configured logging, or does so later, its levels hold. A logger that does not propagate keeps
    its records to itself, as it does from OpenTelemetry's own handler.
    """
    if not _current and not any(type(handler).__name__ in _OTHERS for handler in logging.getLogger().handlers):
        _current.append(Capture(level))  # else another instrumentation records them


def end_capture() -> None:
    """Leave Python's ``logging`` as it was."""
    while _current:
        _current.pop().end()


def is_captured() -> bool:
    """Say whether what Python's ``logging`` is told is recorded."""
    return bool(_current)


__all__ = ["Capture", "capture_logging", "end_capture", "is_captured"]
