"""The recorder beside providers that the host has set: what the context API is given in their place.

The host's stay set; nothing of theirs is changed but by what the OpenTelemetry SDK offers for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import get_current_span

from synapse_otel._otel_private import get_logger_provider
from synapse_otel.notices import Check, explained_by
from synapse_otel.sdk.before_host import JournalLogRecordProcessor, LoggersInFront, MetersInFront, TracersInFront
from synapse_otel.sdk.logger import JournalLoggerProvider
from synapse_otel.sdk.meter import JournalMeterProvider
from synapse_otel.sdk.recorder import Recorder
from synapse_otel.sdk.span_processor import JournalSpanProcessor


class Ours(NamedTuple):
    """What records into the journal."""

    recorder: Recorder
    resource: Resource
    loggers: JournalLoggerProvider
    meters: JournalMeterProvider
    id_generator: Any

    def tracers(self, *, sampled: bool) -> TracerProvider:
        """Return a provider that is set nowhere: its spans enter the journal alone."""
        sampler = RecordsAll(sampled=sampled)
        provider = TracerProvider(sampler, self.resource, shutdown_on_exit=False, id_generator=self.id_generator)
        provider.add_span_processor(JournalSpanProcessor(self.recorder, self.recorder.options.own_scope))
        return provider


def instead_of_the_host(ours: Ours, signals: frozenset[str]) -> dict[str, Any]:
    """Return, by signal, what the context API records with where the host is to get nothing of it."""
    instead = {"traces": ours.tracers(sampled=True), "metrics": ours.meters, "logs": ours.loggers}
    return {signal: instead[signal] for signal in signals}


def in_front_of_the_host(ours: Ours, signals: frozenset[str], say: Callable[[str], None]) -> dict[str, Any]:
    """Return, by signal, what the context API records with where the journal and then the host are to get it."""
    in_front: dict[str, Any] = {}
    if "traces" in signals and _takes_spans(say):
        host: Any = trace.get_tracer_provider()
        host.add_span_processor(JournalSpanProcessor(ours.recorder, ours.recorder.options.own_scope))
        in_front["traces"] = TracersInFront(host, ours.tracers(sampled=False))
    if "metrics" in signals:
        in_front["metrics"] = MetersInFront(metrics.get_meter_provider(), ours.meters)
    if "logs" in signals:
        host = get_logger_provider()
        takes_records = hasattr(host, "add_log_record_processor")
        if takes_records:
            host.add_log_record_processor(JournalLogRecordProcessor(ours.recorder))
        own_scope = ours.recorder.options.own_scope
        in_front["logs"] = LoggersInFront(host, ours.loggers, own_scope, copied=takes_records)
    return in_front


def _takes_spans(say: Callable[[str], None]) -> bool:
    """Return whether the host's tracer provider can be told to copy its spans; say so once where it cannot."""
    host = trace.get_tracer_provider()
    if hasattr(host, "add_span_processor"):
        return True
    kind = f"{type(host).__module__}.{type(host).__qualname__}"
    say(f"spans go to {kind} alone, since it accepts no span processor; {explained_by(Check.ENVIRONMENT)}")
    return False


class RecordsAll(Sampler):
    """Records every span; ``sampled`` says whether those are that have no parent, or a sampled one."""

    def __init__(self, *, sampled: bool) -> None:
        self._sampled = sampled

    def should_sample(  # noqa: PLR0917 - the signature of the SDK's, here and below
        self,
        parent_context: Context | None,
        trace_id: int,  # noqa: ARG002
        name: str,  # noqa: ARG002
        kind: Any = None,  # noqa: ARG002
        attributes: Any = None,
        links: Any = None,  # noqa: ARG002
        trace_state: Any = None,  # noqa: ARG002
    ) -> SamplingResult:
        """Decide about a span."""
        parent = get_current_span(parent_context).get_span_context()
        sampled = self._sampled and (parent.trace_flags.sampled or not parent.is_valid)
        decision = Decision.RECORD_AND_SAMPLE if sampled else Decision.RECORD_ONLY
        return SamplingResult(decision, attributes, parent.trace_state)

    def get_description(self) -> str:
        """Return what it is called."""
        return type(self).__name__
