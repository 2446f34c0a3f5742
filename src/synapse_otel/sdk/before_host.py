"""Providers with the journal in front of those that the host has set, which get what they got without it.

- Log records and measurements of the context API enter the journal, and then go to the host's logger and instruments.
- Spans are begun by the host's tracer, so they have the same ids on both ways, and a span processor writes them. One
  that the host's sampler drops is begun by a tracer of ours, not sampled: the host's spans below it are dropped too.
- Spans and log records of everybody else are copied by processors. The host's metrics are not: there is no public way
  to add a reader to a meter provider that has been made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opentelemetry import metrics as api
from opentelemetry.context import Context
from opentelemetry.metrics import Meter
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, TraceFlags, set_span_in_context

from synapse_otel._otel_private import Gauge, Logger, SeverityNumber
from synapse_otel.sdk.logger import JournalLogger, JournalLoggerProvider
from synapse_otel.sdk.meter import JournalMeter, JournalMeterProvider
from synapse_otel.sdk.recorder import Recorder


class TracersInFront:
    """Gives out tracers that begin spans of the host, or, where the host's sampler drops one, of our own."""

    def __init__(self, host: Any, own: Any) -> None:
        self._host = host
        self._own = own

    def get_tracer(self, name: str, version: str | None = None) -> TracerInFront:
        """Return a tracer of an instrumentation scope."""
        return TracerInFront(self._host.get_tracer(name, version), self._own.get_tracer(name, version))


class TracerInFront:
    """Begins spans: of a tracer, the one method that the context API uses."""

    def __init__(self, host: Any, own: Any) -> None:
        self._host = host
        self._own = own

    def start_span(self, name: str, context: Context | None = None, **options: Any) -> Span:
        """Begin a span; the options are those of OpenTelemetry's tracers."""
        span: Span = self._host.start_span(name, context, **options)
        if not span.is_recording():
            span = self._own.start_span(name, context, **options)
        return span


class LoggersInFront:
    """Gives out the context API's logger, which writes to the journal first, and the host's for all others.

    These are ``copied`` if a processor copies what goes through them; else they write to the journal first, too.
    """

    def __init__(self, host: Any, journal: JournalLoggerProvider, own_scope: str, *, copied: bool) -> None:
        self._host = host
        self._journal = journal
        self._own_scope = own_scope
        self._copied = copied

    def get_logger(self, name: str, version: str | None = None) -> Any:
        """Return a logger of an instrumentation scope."""
        host = self._host.get_logger(name, version)
        if self._copied and name != self._own_scope:
            return host
        return LoggerInFront(self._journal.get_logger(name, version), host)


class LoggerInFront:
    """Emits each record to the journal, and then to the host's logger."""

    def __init__(self, journal: Logger, host: Logger) -> None:
        self._both = journal, host

    def emit(self, **record: Any) -> None:
        """Emit a record; the arguments are those of OpenTelemetry's loggers."""
        for logger in self._both:
            logger.emit(**record)


class JournalLogRecordProcessor:
    """Copies the log records of the host's logger provider, but for those of a scope that enter the journal before."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._own_scope = recorder.options.own_scope
        self._loggers: dict[Any, JournalLogger] = {}

    def on_emit(self, log_record: Any) -> None:
        """Write a record of the SDK's."""
        scope, record = log_record.instrumentation_scope, log_record.log_record
        if scope is not None and scope.name == self._own_scope:
            return
        severity: SeverityNumber | None = record.severity_number
        body = record.body
        self._logger(scope).append_record(
            record.timestamp or record.observed_timestamp or 0,
            _context_of(record),
            severity,
            record.severity_text,
            body if type(body) is str else self._recorder.redact.nested(body),
            dict(record.attributes or {}),
            record.event_name,
            record.observed_timestamp or 0,
        )

    def _logger(self, scope: Any) -> JournalLogger:
        logger = self._loggers.get(scope)
        if logger is None:
            of_scope = (
                (scope.name, scope.version, scope.schema_url, scope.attributes) if scope else ("", None, None, None)
            )
            logger = self._loggers[scope] = JournalLogger(self._recorder, *of_scope)
        return logger

    def enabled(self, **_about: Any) -> bool:
        """Return whether a record would be of interest: the host's own processors are to decide that."""
        return False

    def shutdown(self) -> None:
        """Do nothing: the journal is closed at the end of its run, not with the host's provider."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the signature of the SDK's
        """Bring what was recorded to the disk."""
        self._recorder.sync()
        return True


def _context_of(record: Any) -> Context:
    """Return a context with the span that a record was made in: it may be copied in another thread."""
    flags = TraceFlags(record.trace_flags or 0)
    span = SpanContext(record.trace_id or 0, record.span_id or 0, is_remote=False, trace_flags=flags)
    return set_span_in_context(NonRecordingSpan(span), Context())


class MetersInFront:
    """Gives out the context API's meter: it writes measurements to the journal, and then hands them to the host's."""

    def __init__(self, host: Any, journal: JournalMeterProvider) -> None:
        self._host = host
        self._journal = journal

    def get_meter(self, name: str, version: str | None = None) -> MeterInFront:
        """Return a meter of an instrumentation scope."""
        return MeterInFront(self._journal.get_meter(name, version), self._host.get_meter(name, version))


class MeterInFront:
    """Makes the instruments that the context API uses. Observable ones are the host's: the shipper reads the rest."""

    def __init__(self, journal: Meter | JournalMeter, host: Meter) -> None:
        self._both = journal, host
        self.create_observable_counter = host.create_observable_counter
        self.create_observable_gauge = host.create_observable_gauge

    def create_gauge(self, *described: str) -> _InstrumentInFront:
        """Make a gauge; the arguments are those of OpenTelemetry's meters, here and below."""
        return _InstrumentInFront([meter.create_gauge(*described) for meter in self._both])

    def create_up_down_counter(self, *described: str) -> _InstrumentInFront:
        """Make an up-down counter."""
        return _InstrumentInFront([meter.create_up_down_counter(*described) for meter in self._both])

    def create_histogram(
        self, *described: str, explicit_bucket_boundaries_advisory: Sequence[float]
    ) -> _InstrumentInFront:
        """Make a histogram."""
        bounds = explicit_bucket_boundaries_advisory
        return _InstrumentInFront(
            [meter.create_histogram(*described, explicit_bucket_boundaries_advisory=bounds) for meter in self._both]
        )


class _InstrumentInFront:
    """Measures into the journal, and then into the host's instrument."""

    def __init__(self, both: Sequence[Gauge | api.UpDownCounter | api.Histogram]) -> None:
        self._both: Any = both

    def set(self, *measured: Any) -> None:
        """Set a gauge."""
        for instrument in self._both:
            instrument.set(*measured)

    def add(self, *measured: Any) -> None:
        """Add to a counter."""
        for instrument in self._both:
            instrument.add(*measured)

    def record(self, *measured: Any) -> None:
        """Record a value in a histogram."""
        for instrument in self._both:
            instrument.record(*measured)
