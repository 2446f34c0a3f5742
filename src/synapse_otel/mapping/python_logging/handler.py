"""Records of Python's ``logging``: those of the plugin's own code arrive as log records of their step."""

from __future__ import annotations

import logging
from typing import Any, Final

from synapse_otel import semconv
from synapse_otel._guard import contain, guarded
from synapse_otel._otel_private import SeverityNumber
from synapse_otel._text import cut, described
from synapse_otel.mapping.current import current_or_none
from synapse_otel.mapping.exceptions import exception_attributes
from synapse_otel.mapping.instruments import logger_provider
from synapse_otel.mapping.values import ATTRIBUTE_LIMIT, key_text, readable

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
LEFT_OUT: Final[set[str]] = set()
"""Loggers that only show records which are recorded at their origin."""


class RecordingHandler(logging.Handler):
    """Emits records through OpenTelemetry's logs API, in the span of the calling thread or task."""

    def emit(self, record: logging.LogRecord) -> None:
        """Record a record; those of the telemetry's own libraries are left out, as they would go round in circles."""
        if record.name in LEFT_OUT or record.name.partition(".")[0] in _OWN:
            return
        try:
            self._emit(record)
        except Exception as error:  # noqa: BLE001 - as every handler of logging does: said on stderr, never raised
            contain(error)
            self.handleError(record)

    def _emit(self, record: logging.LogRecord) -> None:
        scope = current_or_none()
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
            body=cut(_message(record)),
            attributes=attributes,
        )


def _message(record: logging.LogRecord) -> str:
    """Return a record's message; if its arguments do not fit, its template and arguments.

    Logging's own handlers report that on stderr, as without us.
    """

    def otherwise(error: Exception) -> str:
        arguments = record.args if isinstance(record.args, tuple) else (record.args,)
        shown = ", ".join(map(described, arguments))
        return f"{described(record.msg, str)} [{type(error).__name__}, arguments: {shown}]"

    return guarded(record.getMessage, otherwise=otherwise)


def _severity(level: int) -> SeverityNumber:
    return next((severity for least, severity in _SEVERITIES if level >= least), SeverityNumber.TRACE)


__all__ = ["LEFT_OUT", "RecordingHandler"]
