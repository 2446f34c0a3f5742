"""Both kinds of tracer providers: the SDK's with our processor, and our own.

What the SDK counts of its own spans goes nowhere: the process's meter provider is that of other tests.
"""

from __future__ import annotations

from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider

from synapse_otel.sdk.span_processor import JournalSpanProcessor
from synapse_otel.sdk.tracers import JournalTracerProvider
from synapse_otel.testing.fixed import Ids
from tests.sdk.kept_frames import Frames


def of_the_sdk(frames: Frames, ids: Ids, limits: SpanLimits | None = None) -> TracerProvider:
    """Return the SDK's provider, which writes by the span processor."""
    provider = TracerProvider(
        resource=Resource({}),
        id_generator=ids,
        span_limits=limits,
        shutdown_on_exit=False,
        meter_provider=NoOpMeterProvider(),
    )
    provider.add_span_processor(JournalSpanProcessor(frames))
    return provider


def of_ours(frames: Frames, ids: Ids, limits: SpanLimits | None = None) -> JournalTracerProvider:
    """Return our provider."""
    return JournalTracerProvider(frames, Resource({}), ids, limits, meter_provider=NoOpMeterProvider())
