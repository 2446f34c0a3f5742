"""The scenarios in a process whose host has set up OpenTelemetry's own SDK: prints what its exporters got, as JSON."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import synapse_otel
from synapse_otel.loggers import NoOpLogger
from synapse_otel.testing.fixed import Ids, fixed_clock
from tests.mapping.readout import milliseconds, plain, tree, without_size
from tests.mapping.scenarios import SCENARIOS, arguments


class Host:
    """A program with providers of its own."""

    def __init__(self) -> None:
        self.ids = Ids()
        self.spans = InMemorySpanExporter()
        self.logs = InMemoryLogRecordExporter()
        self.reader = InMemoryMetricReader()
        traces = TracerProvider(resource=Resource({}), id_generator=self.ids)
        traces.add_span_processor(SimpleSpanProcessor(self.spans))
        records = LoggerProvider(resource=Resource({}))
        records.add_log_record_processor(SimpleLogRecordProcessor(self.logs))
        self.providers = traces, MeterProvider([self.reader], resource=Resource({})), records
        trace.set_tracer_provider(traces)
        metrics.set_meter_provider(self.providers[1])
        set_logger_provider(records)

    def run(self, name: str) -> dict[str, Any]:
        """Return what the exporters got of a scenario."""
        self.spans.clear()
        self.logs.clear()
        scenario = SCENARIOS[name]
        # One process runs all jobs: each has an id of its own here, as their series are told apart by it.
        given = {**arguments(name), "job_id": f"job of {name}"}
        with (
            self.ids.fixed(),
            fixed_clock(),
            suppress(scenario.raises or ()),
            synapse_otel.job(**given, logger=NoOpLogger()) as ctx,
        ):
            scenario.run(ctx)
        found = {
            "spans": tree(_span(span) for span in self.spans.get_finished_spans()),
            "logs": [_log(exported) for exported in self.logs.get_finished_logs()],
            "metrics": self._metrics(f"job of {name}"),
        }
        return json.loads(json.dumps(found).replace(f"job of {name}", "job-1"))

    def _metrics(self, job_id: str) -> dict[str, Any]:
        found = {}
        for resource in self.reader.get_metrics_data().resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    points = [point for point in metric.data.data_points if _is_of(point, job_id)]
                    if points:
                        shown = {"kind": type(metric.data).__name__.lower(), "unit": metric.unit}
                        found[metric.name] = shown | {"points": [_point(point) for point in points]}
        return dict(sorted(found.items()))


def _is_of(point: Any, job_id: str) -> bool:
    return point.attributes.get("synapse.job.id") == job_id


def _point(point: Any) -> dict[str, Any]:
    return {"attributes": dict(point.attributes), "value": point.value}


def _span(span: Any) -> dict[str, Any]:
    assert not span.dropped_attributes
    assert not span.dropped_events
    return {
        "name": span.name,
        "id": span.context.span_id,
        "trace": span.context.trace_id,
        "parent": span.parent.span_id if span.parent else 0,
        "from": milliseconds(span.start_time),
        "to": milliseconds(span.end_time),
        "status": [span.status.status_code.value, span.status.description or ""],
        "attributes": plain(span.attributes),
        "events": [
            [milliseconds(event.timestamp), event.name, without_size(plain(event.attributes))] for event in span.events
        ],
        "links": [[link.context.span_id, dict(link.attributes)] for link in span.links],
    }


def _log(exported: Any) -> dict[str, Any]:
    record = exported.log_record
    assert not exported.dropped_attributes
    return {
        "at": milliseconds(record.timestamp),
        "event": record.event_name,
        "severity": [record.severity_number.value, record.severity_text],
        "body": record.body,
        "attributes": without_size(plain(record.attributes)),
        "span": record.span_id,
        "trace": record.trace_id,
        "scope": exported.instrumentation_scope.name,
    }


if __name__ == "__main__":
    host = Host()
    result = {name: host.run(name) for name in SCENARIOS}
    assert host.providers[:2] == (trace.get_tracer_provider(), metrics.get_meter_provider())
    json.dump(result, sys.stdout)
