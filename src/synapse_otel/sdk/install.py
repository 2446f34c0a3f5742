"""Putting the recorder behind OpenTelemetry's API where no provider has been set, and beside those that have been."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from opentelemetry import metrics, trace

from synapse_otel._otel_private import set_logger_provider, unset_providers
from synapse_otel.journal.state_block import StateBlock
from synapse_otel.journal.writer import JournalWriter
from synapse_otel.sdk.logger import JournalLoggerProvider
from synapse_otel.sdk.meter import JournalMeterProvider
from synapse_otel.sdk.other_metrics import ForeignMetrics
from synapse_otel.sdk.recorded_run import RecorderOptions
from synapse_otel.sdk.recorder import Recorder
from synapse_otel.sdk.resource import make_resource
from synapse_otel.sdk.tracers import JournalTracerProvider

SIGNALS: Final = frozenset({"traces", "metrics", "logs"})


class Installed:
    """A recorder behind the API, and which signals go through it."""

    def __init__(self, recorder: Recorder, foreign: ForeignMetrics, signals: set[str], beside: dict[str, Any]) -> None:
        self.recorder: Final = recorder
        self.foreign: Final = foreign
        self.signals: Final = signals
        self.beside: Final = beside
        """By signal that the host has a provider for: what the context API is to record with in its place."""


def install(
    options: RecorderOptions,
    block: StateBlock,
    *,
    host: str,
    interval_seconds: float,
    say: Callable[[str], None],
    on_open: Callable[[JournalWriter], None],
    id_generator: Any = None,
) -> Installed | None:
    """Set the providers that are not set yet; None if nothing is to be recorded by ours.

    Args:
        options: Of the recorder.
        block: The state block of the process.
        host: Whether providers of the host get what the context API records: they ``only``, they ``also``, or ``not``.
        interval_seconds: Between two collections of other instrumentations' metrics.
        say: Tells the user something.
        on_open: Called with each journal that is opened.
        id_generator: Makes the ids of spans, for tests.
    """
    signals = unset_providers()
    if not signals and host == "only":
        return None
    resource = make_resource({})
    recorder = Recorder(options, resource.attributes, block, say=say, on_open=on_open)
    foreign = ForeignMetrics(recorder, resource, interval_seconds)
    loggers, meters = JournalLoggerProvider(recorder), JournalMeterProvider(recorder, options.own_scope, foreign)
    beside: dict[str, Any] = {}
    if host != "only" and signals != SIGNALS:
        from synapse_otel.sdk.beside_host import Ours, in_front_of_the_host, instead_of_the_host

        ours, of_host = Ours(recorder, resource, loggers, meters, id_generator), SIGNALS - signals
        beside = instead_of_the_host(ours, of_host) if host == "not" else in_front_of_the_host(ours, of_host, say)
    if "traces" in signals:
        trace.set_tracer_provider(JournalTracerProvider(recorder, resource, id_generator))
    if "metrics" in signals:
        metrics.set_meter_provider(meters)
    if "logs" in signals:
        set_logger_provider(loggers)
    return Installed(recorder, foreign, signals | set(beside), beside)
