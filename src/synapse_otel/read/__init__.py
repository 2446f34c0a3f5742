"""Runs from Python: found by filters, and read as parameters, arrays, messages, spans and tables.

::

    from synapse_otel import read

    for run in read.runs(plugin="yolo", tags="baseline"):
        loss = run.metrics()["training", "loss"]
        print(run.name, run.params, loss.values.min())
    read.table(read.runs(plugin="yolo")).to_pandas()

It reads the journals on this machine, with no backend, whether a run lives, has ended or was killed.
"""

from __future__ import annotations

from synapse_otel.read.finding import run, runs
from synapse_otel.read.parts import IncompleteWarning, Message, Metric
from synapse_otel.read.run_table import LibraryMissingError, RunTable
from synapse_otel.read.saved_run import SavedRun
from synapse_otel.read.tables import table
from synapse_otel.runs import RunNotFoundError, Span, SpanEvent

__all__ = [
    "IncompleteWarning",
    "LibraryMissingError",
    "Message",
    "Metric",
    "RunNotFoundError",
    "RunTable",
    "SavedRun",
    "Span",
    "SpanEvent",
    "run",
    "runs",
    "table",
]
