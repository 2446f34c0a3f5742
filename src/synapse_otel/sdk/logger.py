"""The logs signal: a logger whose ``emit`` encodes a record and appends it."""

from __future__ import annotations

from collections.abc import Mapping
from time import time_ns
from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import get_current_span

from synapse_otel._guard import let_through
from synapse_otel._otel_private import Logger, LoggerProvider, LogRecord, SeverityNumber
from synapse_otel.journal import frames
from synapse_otel.journal.frames import Kind
from synapse_otel.sdk.oversize import RECORD_LIMIT, encode_cut
from synapse_otel.sdk.recorder import Recorder
from synapse_otel.sdk.span_processor import span_reference
from synapse_otel.sdk.templates import BoundTemplate
from synapse_otel.semconv.exceptions import exception_attributes
from synapse_otel.semconv.signal import Signal

_SYNCED = SeverityNumber.ERROR.value
_LOG = int(Kind.LOG)
_LOGS = int(Signal.LOGS)
_encode = frames.encode
_NO_CONTEXT = object()
_NOTHING: dict[str, Any] = {}


class JournalLoggerProvider(LoggerProvider):
    """Gives out loggers that write to the journal."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def get_logger(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Any = None,
    ) -> Logger:
        """Return a logger of an instrumentation scope."""
        return JournalLogger(self._recorder, name, version, schema_url, attributes)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the signature of the SDK's
        """Bring what was recorded to the disk."""
        self._recorder.sync()
        return True


class JournalLogger(Logger):
    """Appends every record; one of level ERROR and above is on the disk when the call returns."""

    def __init__(
        self, recorder: Recorder, name: str, version: str | None, schema_url: str | None, attributes: Any
    ) -> None:
        super().__init__(name, version, schema_url, attributes)
        self._recorder = recorder
        # The context API's own records are flat, so that nothing nested has to be looked for in each.
        self._flat = name == recorder.options.own_scope
        self._redact = recorder.redact
        self._plain = recorder.redact.plain
        self._scope = recorder.scope(name, version, schema_url, attributes)
        # A step's records come with the same context object: its span's reference is kept with it.
        self._last: tuple[object, bytes] = (_NO_CONTEXT, b"")

    def enabled(
        self,
        *,
        context: Context | None = None,  # noqa: ARG002 - the signature of the API
        severity_number: SeverityNumber | None = None,  # noqa: ARG002
        event_name: str | None = None,  # noqa: ARG002
    ) -> bool:
        """Say that everything is recorded."""
        return True

    def emit(
        self,
        record: LogRecord | None = None,
        *,
        timestamp: int | None = None,
        observed_timestamp: int | None = None,
        context: Context | None = None,
        severity_number: SeverityNumber | None = None,
        severity_text: str | None = None,
        body: Any = None,
        attributes: Any = None,
        event_name: str | None = None,
        exception: BaseException | None = None,
    ) -> None:
        """Append a record."""
        if record is not None:
            self._emit_record(record)
            return
        if exception is not None:
            attributes = {**exception_attributes(exception), **(attributes or {})}
        if timestamp is None:
            timestamp = observed_timestamp or time_ns()
        if type(body) is not str:
            body = self._recorder.redact.nested(body)
        self.append_record(
            timestamp,
            context,
            severity_number,
            severity_text,
            body,
            attributes,
            event_name,
            observed_timestamp or 0,
        )

    def append_record(  # noqa: PLR0917 - positions are what makes it cheap
        self,
        timestamp: int,
        context: Context | None,
        severity_number: SeverityNumber | None,
        severity_text: str | None,
        body: Any,
        attributes: Any,
        event_name: str | None,
        observed_timestamp: int = 0,
    ) -> None:
        """Append a record: what `emit` does, without the cost of its keywords."""
        last = self._last
        if last[0] is context:
            span = last[1]
        else:
            span = span_reference(get_current_span(context))
            if context is not None:  # none means whatever is current, which may be another one next time
                self._last = (context, span)
        if not attributes:
            attributes = _NOTHING
        elif not (self._flat and self._plain.issuperset(attributes)):
            attributes = self._redact(attributes)
        severity = 0 if severity_number is None else severity_number._value_  # .value is a call
        fields = (
            timestamp,
            severity,
            severity_text,
            event_name,
            body,
            attributes,
            span,
            self._scope,
            observed_timestamp,
        )
        try:
            payload = _encode(fields)
        except (TypeError, ValueError, OverflowError) as error:
            let_through(error)
            payload = frames.encode_clean(list(fields))
        if len(payload) > RECORD_LIMIT:
            payload = encode_cut(list(fields))
        recorder = self._recorder
        recorder.append(_LOG, _LOGS, payload, 1)
        if severity >= _SYNCED:
            recorder.sync()
        if recorder.collect is not None:
            recorder.collect()

    def template(  # noqa: PLR0917 - as of `append_record`
        self,
        context: Context | None,
        severity_number: SeverityNumber,
        severity_text: str,
        event_name: str,
        attributes: Mapping[str, Any],
        prefix: str,
    ) -> BoundTemplate:
        """Return what appends records that have all of this in common; ``prefix``: of their own attributes' keys."""
        severity = severity_number.value
        span = span_reference(get_current_span(context))
        fields = [self._scope, severity, severity_text, event_name, dict(self._redact(attributes)), span, prefix]
        return self._recorder.template(fields, synced=severity >= _SYNCED)

    def forget_template(self, template: BoundTemplate) -> None:
        """Hear that a template is no longer used."""
        self._recorder.forget_template(template)

    def _emit_record(self, record: LogRecord) -> None:
        exception = getattr(record, "exception", None)
        self.emit(
            timestamp=record.timestamp,
            observed_timestamp=record.observed_timestamp,
            context=record.context,
            severity_number=record.severity_number,
            severity_text=record.severity_text,
            body=record.body,
            attributes=record.attributes,
            event_name=record.event_name,
            exception=exception,
        )
