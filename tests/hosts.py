"""Scripts of a host that has set up OpenTelemetry on its own, and a job in them; each runs in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src"

PLUGIN = """
def plugin(ctx):
    ctx.set_progress(1, 4, "load")
    ctx.set_progress(4, 4, "load")
    ctx.set_metrics({"loss": 0.5}, "train")
    ctx.log_message("half way", "warning")
    ctx.log("saved", {"epoch": 1})
    logging.getLogger("plugin").info("from logging")
    with trace.get_tracer("plugin").start_as_current_span("own span"):
        ctx.log_message("inside")
"""

HEAD = f"""
import json, logging, os, sys
from opentelemetry import metrics, trace
from opentelemetry._logs import get_logger_provider, set_logger_provider
{PLUGIN}
"""

SDK = """
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

spans, logs = InMemorySpanExporter(), InMemoryLogRecordExporter()
readers = [InMemoryMetricReader(), InMemoryMetricReader()]
traces, records, meters = TracerProvider(), LoggerProvider(), MeterProvider(readers)
traces.add_span_processor(SimpleSpanProcessor(spans))
records.add_log_record_processor(SimpleLogRecordProcessor(logs))
"""

RUN = """
import synapse_otel
from synapse_otel.loggers import NoOpLogger

def run():
    with synapse_otel.job("train", plugin="yolo", job_id="job-1", logger=NoOpLogger()) as ctx:
        plugin(ctx)

def series(reader):
    data = reader.get_metrics_data()
    return {} if data is None else {
        f"{metric.name} {point.attributes.get('synapse.category', '')}".strip(): getattr(point, "value", None)
        for resource in data.resource_metrics for scope in resource.scope_metrics for metric in scope.metrics
        for point in metric.data.data_points if scope.scope.name == "synapse_otel"
    }
"""


def python(script, tmp_path, *command, **variables):
    """Run a script in a process of its own, with a state folder of its own; return its output and errors."""
    state = tmp_path / "state"
    state.mkdir(exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "XDG_STATE_HOME": str(state), **variables}
    ended = subprocess.run(
        [*(command or [sys.executable, "-W", "error"]), "-c", script],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout, ended.stderr


IN_JOURNAL = """
from pathlib import Path
from synapse_otel.journal.folder import run_folders
from synapse_otel.runs import Recording

def in_journal():
    recordings = [Recording.read(folder) for folder in run_folders(Path(os.environ["XDG_STATE_HOME"]) / "synapse-otel")]
    spans = [span for each in recordings for _depth, span in each.walk()]
    return {
        "spans": {span.name: [span.trace_id, span.span_id, span.parent_id] for span in spans},
        "open": [span.name for span in spans if span.is_open],
        "logs": [[log.event_name, log.body, log.trace_id, log.span_id] for each in recordings for log in each.logs],
        "curves": {
            name: curve.values
            for each in recordings for (_category, name), curve in each.curves.items()
        },
        "progress": {of.category: of.progress.current for each in recordings for of in each.progress},
    }

def at_host():
    return {
        "spans": {
            span.name: [f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}",
                        f"{span.parent.span_id:016x}" if span.parent else ""]
            for span in spans.get_finished_spans()
        },
        "logs": [
            [found.log_record.event_name or "", found.log_record.body, f"{found.log_record.trace_id:032x}",
             f"{found.log_record.span_id:016x}"]
            for found in logs.get_finished_logs()
        ],
        "series": series(readers[0]),
    }
"""


def written(tmp_path):
    """Return what was written to the state folder."""
    return list((tmp_path / "state").rglob("*"))


def ran(script, tmp_path, mode, **variables):
    """Run a script whose last line tells what the host and the journal got; return both."""
    options = {"SYNAPSE_OTEL_HOST_PROVIDERS": mode, "SYNAPSE_OTEL_SHIPPER": "off", **variables}
    output, errors = python(HEAD + SDK + RUN + IN_JOURNAL + script, tmp_path, **options)
    host, journal = json.loads(output.splitlines()[-1])
    return host, journal, errors


def names(logs):
    return [(name, text) for name, text, *_ids in logs]
