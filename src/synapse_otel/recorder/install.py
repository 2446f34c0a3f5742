"""Putting the recorder behind OpenTelemetry's API: only where no provider has been set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from opentelemetry import metrics, trace
from opentelemetry.sdk.trace import TracerProvider

from synapse_otel.journal.state import StateBlock
from synapse_otel.journal.writer import JournalWriter
from synapse_otel.otel_seam import set_logger_provider, unset_providers
from synapse_otel.recorder.foreign import ForeignMetrics
from synapse_otel.recorder.logs import JournalLoggerProvider
from synapse_otel.recorder.metrics import JournalMeterProvider
from synapse_otel.recorder.recorder import Recorder, RecorderOptions
from synapse_otel.recorder.resource import make_resource
from synapse_otel.recorder.spans import JournalSpanProcessor


class Installed:
    """A recorder behind the API, and which signals go through it."""

    def __init__(self, recorder: Recorder, foreign: ForeignMetrics, signals: set[str]) -> None:
        self.recorder: Final = recorder
        self.foreign: Final = foreign
        self.signals: Final = signals


def install(
    options: RecorderOptions,
    block: StateBlock,
    *,
    interval_seconds: float,
    say: Callable[[str], None],
    on_open: Callable[[JournalWriter], None],
    id_generator: Any = None,
) -> Installed | None:
    """Set the providers that are not set yet; None if the host has set them all."""
    signals = unset_providers()
    if not signals:
        return None
    resource = make_resource({})
    recorder = Recorder(options, resource.attributes, block, say=say, on_open=on_open)
    foreign = ForeignMetrics(recorder, resource, interval_seconds)
    if "traces" in signals:
        provider = TracerProvider(resource=resource, shutdown_on_exit=False, id_generator=id_generator)
        provider.add_span_processor(JournalSpanProcessor(recorder))
        trace.set_tracer_provider(provider)
    if "metrics" in signals:
        metrics.set_meter_provider(JournalMeterProvider(recorder, options.own_scope, foreign))
    if "logs" in signals:
        set_logger_provider(JournalLoggerProvider(recorder))
    return Installed(recorder, foreign, signals)
