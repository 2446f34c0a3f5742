"""What the measured jobs have in common."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

MARK = "checkpoint.saved"
"""Event name of the records: every log record holds it once, so a far side can count it."""
PATIENCE_SECONDS = 600.0


@contextmanager
def synapse(**settings: Any) -> Iterator[Any]:
    """Run a job as its author does, but for the console; its context."""
    import synapse_otel
    from synapse_otel.loggers import NoOpLogger

    if settings:
        synapse_otel.configure(**settings)
    with synapse_otel.job("train", plugin="bench", logger=NoOpLogger()) as ctx:
        yield ctx


@contextmanager
def stock() -> Iterator[tuple[Any, Callable[[], bool]]]:
    """Run the same on the plain SDK with its OTLP exporters, as its documentation has it."""
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    from benchmarks.calls import stock_mapping

    reader = PeriodicExportingMetricReader(OTLPMetricExporter())
    with stock_mapping(OTLPSpanExporter(), OTLPLogExporter(), reader) as made:
        yield made


def records(calls: int) -> Iterator[dict[str, Any]]:
    """Yield the data of log records, no two of them alike."""
    for number in range(calls):
        yield {"epoch": number, "loss": 1 / (number + 1), "path": "weights.pt"}


def own_cpu() -> float:
    """Return the processor time of this process, in seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def go_on() -> None:
    """Say that everything is set up, and wait for the word to go on."""
    print("ready", flush=True)
    sys.stdin.readline()
