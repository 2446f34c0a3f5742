"""A job that records into memory, and the runtime context that belongs to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.metrics import NoOpMeter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from synapse_otel.loggers import NoOpLogger
from synapse_otel.mapping import job_records as job_module
from synapse_otel.mapping.instruments import Instruments, Samples, emit_through
from synapse_otel.mapping.start_job import JobSpec, start_job
from synapse_otel.plugins.context import RuntimeContext
from tests.plugins.recording import Recorded, SampleList, context_of


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    """A running job in the current context, recording into memory."""
    spans, logs, gauge = InMemorySpanExporter(), InMemoryLogRecordExporter(), SampleList()
    traces, records = TracerProvider(), LoggerProvider()
    traces.add_span_processor(SimpleSpanProcessor(spans))
    records.add_log_record_processor(SimpleLogRecordProcessor(logs))
    made = Instruments()
    made.tracer = traces.get_tracer("test")
    made.emit = emit_through(records.get_logger("test"))
    made.template = None
    made.samples = Samples(gauge)
    meter = NoOpMeter("test")
    made.active = meter.create_up_down_counter("active")
    made.job_duration = made.step_duration = meter.create_histogram("duration")
    monkeypatch.setattr(job_module, "instruments", lambda: made)
    job = start_job(JobSpec(action="train", plugin="yolo", job_id="job-1"))
    result = Recorded(job, spans, logs, gauge)
    job.flush = lambda: result.flushed.append(True)
    with job.root.activated():
        yield result
    job.end()


@pytest.fixture
def ctx(recorded: Recorded) -> RuntimeContext:
    """The context of the job, with a logger that shows nothing."""
    return context_of(recorded.job, NoOpLogger())
