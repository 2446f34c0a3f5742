"""Records of Python's ``logging``: those of the plugin's own code arrive as log records of their step."""

from __future__ import annotations

import logging
import logging.config
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from synapse_otel.contained import contain
from synapse_otel.otel_seam import SeverityNumber
from synapse_otel.signals import semconv
from synapse_otel.signals.active import scope_or_none
from synapse_otel.signals.exceptions import exception_attributes
from synapse_otel.signals.instruments import logger_provider
from synapse_otel.signals.values import ATTRIBUTE_LIMIT, cut, described, key_text, readable

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_TEXTS: Final = {"WARNING": "WARN", "CRITICAL": "FATAL"}
_SEVERITIES: Final = (
    (logging.CRITICAL, SeverityNumber.FATAL),
    (logging.ERROR, SeverityNumber.ERROR),
    (logging.WARNING, SeverityNumber.WARN),
    (logging.INFO, SeverityNumber.INFO),
    (logging.DEBUG, SeverityNumber.DEBUG),
)
_OWN: Final = ("opentelemetry", "synapse_otel", "urllib3")


class RecordingHandler(logging.Handler):
    """Emits records through OpenTelemetry's logs API, in the scope of the thread or task that makes them."""

    def emit(self, record: logging.LogRecord) -> None:
        """Record a record; those of the telemetry's own libraries are left out, as they would go round in circles."""
        if record.name.partition(".")[0] in _OWN:
            return
        try:
            self._emit(record)
        except Exception as error:  # noqa: BLE001 - as every handler of logging does: said on stderr, never raised
            contain(error)
            self.handleError(record)

    def _emit(self, record: logging.LogRecord) -> None:
        scope = scope_or_none()
        attributes: dict[str, Any] = {}
        if scope is not None:
            attributes.update(scope.job.log_attributes)
            if scope.category is not None:
                attributes[semconv.CATEGORY] = scope.category
        extra = [(key, value) for key, value in vars(record).items() if key not in _STANDARD][:ATTRIBUTE_LIMIT]
        attributes.update((key_text(key), readable(value)) for key, value in extra)
        if record.exc_info and record.exc_info[1] is not None:
            attributes.update(exception_attributes(record.exc_info[1]))
        logger_provider().get_logger(record.name).emit(
            timestamp=int(record.created * 1e9),
            context=scope.context if scope is not None else None,
            severity_number=_severity(record.levelno),
            severity_text=_TEXTS.get(record.levelname, record.levelname),
            body=cut(described(record, logging.LogRecord.getMessage)),
            attributes=attributes,
        )


class _LastResort(logging.Handler):
    """Goes on showing what was shown before a handler was there: `logging.lastResort` is used only without any."""

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record as Python does when nothing is configured."""
        shown = logging.lastResort
        if shown is not None and record.levelno >= shown.level and len(logging.getLogger().handlers) == _BOTH:
            shown.handle(record)


_BOTH: Final = 2


class _Capture:
    """The handlers on the root logger, which step aside whenever the host configures logging."""

    def __init__(self, level: int) -> None:
        self._recording = RecordingHandler(level)
        self._last_resort = _LastResort()
        self._level_before: int | None = None

    def attach(self) -> None:
        """Put the handlers in place."""
        root = logging.getLogger()
        configured = bool(root.handlers)
        root.addHandler(self._recording)
        if not configured:
            root.addHandler(self._last_resort)
            if root.level == logging.WARNING:
                self._level_before = root.level
                root.setLevel(self._recording.level)

    def detach(self) -> None:
        """Take them away, and the level that was set with them."""
        root = logging.getLogger()
        root.removeHandler(self._recording)
        root.removeHandler(self._last_resort)
        if self._level_before is not None and root.level == self._recording.level:
            root.setLevel(self._level_before)
        self._level_before = None

    def around(self, configure: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function of the host that finds logging as if we were not there."""

        @wraps(configure)
        def configure_without_us(*args: Any, **kwargs: Any) -> Any:
            self.detach()
            try:
                return configure(*args, **kwargs)
            finally:
                self.attach()

        return configure_without_us


def capture_logging(level: int) -> None:
    """Record what Python's ``logging`` is told, from ``level`` on.

    Where nothing was configured, the root logger lets records of that level through, and what is seen on the
    terminal stays the same. Where the host has configured logging, or does so later, its levels hold: the functions
    that configure it do what they would do without us, as OpenTelemetry's own handler has it too.
    """
    if any(type(handler).__name__ in _OTHERS for handler in logging.getLogger().handlers):
        return  # another instrumentation records them
    capture = _Capture(level)
    capture.attach()
    for module, name in ((logging, "basicConfig"), (logging.config, "dictConfig"), (logging.config, "fileConfig")):
        setattr(module, name, capture.around(getattr(module, name)))


_OTHERS: Final = frozenset({"LoggingHandler", "RecordingHandler", "LogfireLoggingHandler"})


def _severity(level: int) -> SeverityNumber:
    return next((severity for least, severity in _SEVERITIES if level >= least), SeverityNumber.TRACE)


__all__ = ["RecordingHandler", "capture_logging"]
