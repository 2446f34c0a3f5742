"""Metrics of many short jobs, as a shipper sends them, and what they add up to."""

from __future__ import annotations

import time
from collections import Counter

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from synapse_otel import semconv
from tests.stack import otlp

CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
PLUGINS = ("yolo", "sam", "digits")
ACTIONS = ("train", "export")


class Job:
    """A job of number `number`: what it has done so far, and whether it runs."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.plugin = PLUGINS[number % len(PLUGINS)]
        self.action = ACTIONS[number % len(ACTIONS)]
        self.items = 0
        self.seconds: float | None = None

    def request(self) -> ResourceMetrics:
        """Return what its shipper says of it now."""
        now = time.time_ns()
        common = {
            semconv.JOB_ID: f"job-{self.number}",
            semconv.ACTION: self.action,
            semconv.PLUGIN_NAME: self.plugin,
        }
        points = [
            _sum(semconv.JOB_ITEMS, self.items, common | {semconv.CATEGORY: "load"}, now, monotonic=True),
            _sum(semconv.JOB_ACTIVE, 1 if self.seconds is None else 0, common, now, monotonic=False),
        ]
        if self.seconds is not None:
            ended = {key: value for key, value in common.items() if key != semconv.JOB_ID}
            points.append(_duration(self.seconds, ended | {semconv.JOB_RESULT: semconv.RESULT_SUCCESS}, now))
        who = {
            semconv.SERVICE_NAME: self.plugin,
            semconv.SERVICE_NAMESPACE: "synapse",
            semconv.SERVICE_INSTANCE_ID: f"run-{self.number}",
            semconv.TENANT: "a",
        }
        resource = Resource(attributes=otlp.attributes(who))
        return ResourceMetrics(resource=resource, scope_metrics=[ScopeMetrics(metrics=points)])


def send_all(base: str, jobs: list[Job]) -> None:
    """Send what all jobs say now in one request."""
    otlp.send(base, ExportMetricsServiceRequest(resource_metrics=[job.request() for job in jobs]))


def items_by_plugin(jobs: list[Job]) -> dict[str, float]:
    """Return the items that the jobs of each plugin have done."""
    done: Counter[str] = Counter()
    for job in jobs:
        done[job.plugin] += job.items
    return dict(done)


def _sum(metric: semconv.Metric, value: int, labels: dict[str, str], now: int, *, monotonic: bool) -> Metric:
    point = NumberDataPoint(time_unix_nano=now, as_int=value, attributes=otlp.attributes(labels))
    data = Sum(aggregation_temporality=CUMULATIVE, is_monotonic=monotonic, data_points=[point])
    return Metric(name=metric.name, unit=metric.unit, sum=data)


def _duration(seconds: float, labels: dict[str, str], now: int) -> Metric:
    point = HistogramDataPoint(
        time_unix_nano=now,
        count=1,
        sum=seconds,
        explicit_bounds=[10, 60],
        bucket_counts=[1, 0, 0] if seconds <= 10 else [0, 1, 0],
        attributes=otlp.attributes(labels),
    )
    data = Histogram(aggregation_temporality=CUMULATIVE, data_points=[point])
    return Metric(name=semconv.JOB_DURATION.name, unit=semconv.JOB_DURATION.unit, histogram=data)
