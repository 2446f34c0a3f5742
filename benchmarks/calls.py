"""The calls that are compared: through synapse-otel, and the same mapping by hand on the plain OpenTelemetry SDK.

Each contender is set up in a process of its own, as providers can be set once in a process.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import metrics, trace
from opentelemetry._logs import SeverityNumber, get_logger, set_logger_provider

Calls = dict[str, Callable[[], object]]

METRICS = {"loss": 0.125, "accuracy": 0.93, "learning_rate": 0.001}
DATA = {"epoch": 5, "path": "weights.pt"}


@contextmanager
def synapse() -> Iterator[Calls]:
    """Set up synapse-otel as a job has it, its console off; the journal waits, as nothing is measured but the call."""
    import synapse_otel
    from synapse_otel.loggers import NoOpLogger

    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        synapse_otel.configure(journal_dir=Path(folder), shipper="off", journal_budget=64 << 20)
        with synapse_otel.job("train", plugin="bench", logger=NoOpLogger()) as ctx:
            yield {
                "set_progress": lambda: ctx.set_progress(5, 10, "training"),
                "set_metrics": lambda: ctx.set_metrics(METRICS, "training"),
                "log": lambda: ctx.log("checkpoint", DATA),
                "log_message": lambda: ctx.log_message("epoch 5 of 20 is done", "info"),
                "span": _span,
                "span, 5 attributes, 2 events": _rich_span,
            }


@contextmanager
def synapse_in_python() -> Iterator[Calls]:
    """Set up synapse-otel without its compiled module."""
    os.environ["SYNAPSE_OTEL_NATIVE"] = "off"  # read when the package is imported
    with synapse() as calls:
        yield calls


@contextmanager
def stock() -> Iterator[Calls]:
    """Set up the SDK as its documentation has it, with exporters that throw everything away."""
    from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class NoLogs(LogRecordExporter):
        def export(self, batch: Sequence[Any]) -> LogRecordExportResult:
            return LogRecordExportResult.SUCCESS

        def shutdown(self) -> None: ...

        def force_flush(self, timeout_millis: int = 0) -> bool:
            return True

    class NoSpans(SpanExporter):
        def export(self, spans: Sequence[Any]) -> SpanExportResult:
            return SpanExportResult.SUCCESS

    logging.disable(logging.CRITICAL)
    with stock_mapping(NoSpans(), NoLogs(), InMemoryMetricReader()) as (mapping, _):
        yield {
            "set_progress": lambda: mapping.set_progress(5, 10, "training"),
            "set_metrics": lambda: mapping.set_metrics(METRICS, "training"),
            "log": lambda: mapping.log("checkpoint", DATA),
            "log_message": lambda: mapping.log_message("epoch 5 of 20 is done", "info"),
            "span": _span,
            "span, 5 attributes, 2 events": _rich_span,
        }


@contextmanager
def stock_mapping(
    span_exporter: Any, log_exporter: Any, metric_reader: Any
) -> Iterator[tuple[StockMapping, Callable[[], bool]]]:
    """Set up the SDK in a span; yield the mapping on it, and what waits until all log records were exported."""
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    tracer_provider = TracerProvider(shutdown_on_exit=False)
    tracer_provider.add_span_processor(BatchSpanProcessor(span_exporter))
    trace.set_tracer_provider(tracer_provider)
    logger_provider = LoggerProvider(shutdown_on_exit=False)
    logger_provider.add_log_record_processor(BatchLogRecordProcessor(log_exporter))
    set_logger_provider(logger_provider)
    meter_provider = MeterProvider([metric_reader], shutdown_on_exit=False)
    metrics.set_meter_provider(meter_provider)
    with trace.get_tracer("bench").start_as_current_span("train bench"):
        yield StockMapping(), logger_provider.force_flush
    for provider in (tracer_provider, logger_provider, meter_provider):
        provider.shutdown()


class StockMapping:
    """The mapping of `docs/mapping.md`, call by call on the API, as somebody without synapse-otel would write it."""

    def __init__(self) -> None:
        meter = metrics.get_meter("bench")
        names = ("progress", "progress.current", "progress.limit", "eta")
        self.gauges = [meter.create_gauge(f"synapse.job.{name}") for name in names]
        self.items = meter.create_counter("synapse.job.items")
        self.metric = meter.create_gauge("synapse.job.metric")
        self.events = meter.create_counter("synapse.job.events")
        self.messages = meter.create_counter("synapse.job.messages")
        self.logger = get_logger("bench")
        self.common = {"synapse.job.id": "job-1", "synapse.action": "train", "synapse.plugin.name": "bench"}
        self.done = 0.0

    def set_progress(self, current: float, total: float, category: str) -> None:
        attributes = {**self.common, "synapse.category": category}
        for gauge, value in zip(self.gauges, (current / total, current, total, 1.0), strict=True):
            gauge.set(value, attributes)
        self.items.add(max(current - self.done, 0), attributes)
        self.done = current

    def set_metrics(self, values: dict[str, float], category: str) -> None:
        for name, value in values.items():
            self.metric.set(value, {**self.common, "synapse.category": category, "synapse.metric.name": name})

    def log(self, event: str, data: dict[str, Any]) -> None:
        attributes = {f"synapse.data.{key}": value for key, value in data.items()}
        self._record(event, None, SeverityNumber.INFO, {**attributes, "synapse.job.id": "job-1"})
        self.events.add(1, {**self.common, "synapse.event.name": event})

    def log_message(self, message: str, context: str) -> None:
        attributes = {"synapse.job.id": "job-1", "synapse.message.context": context}
        self._record("synapse.message", message, SeverityNumber.INFO, attributes)
        self.messages.add(1, {**self.common, "synapse.message.context": context})

    def _record(self, name: str, body: str | None, severity: SeverityNumber, attributes: dict[str, Any]) -> None:
        now = time.time_ns()
        self.logger.emit(
            timestamp=now,
            context=otel_context.get_current(),
            severity_number=severity,
            severity_text="INFO",
            body=body,
            attributes=attributes,
            event_name=name,
        )
        trace.get_current_span().add_event(name, attributes, now)


def _span() -> None:
    span = trace.get_tracer("bench").start_span("step", attributes={"synapse.step.name": "step"})
    span.set_attribute("synapse.step.result", "success")
    span.end()


def _rich_span() -> None:
    with trace.get_tracer("bench").start_as_current_span("step") as span:
        for number in range(5):
            span.set_attribute(f"key {number}", number)
        span.add_event("begun", {"epoch": 1})
        span.add_event("done")


CONTENDERS = {"synapse-otel": synapse, "synapse-otel, in Python": synapse_in_python, "plain SDK": stock}
