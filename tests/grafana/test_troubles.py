"""What Pipeline health shows when records are lost, late and refused: a real Prometheus that was told so."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Gauge,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from synapse_otel import semconv
from tests.collector.prometheuses import Prometheus
from tests.grafana.asking import RANGE_SECONDS, Answer, Asker, read
from tests.grafana.demo import FLAGS, Demo
from tests.stack import otlp
from tools.stack.polling import eventually

pytestmark = [pytest.mark.once, pytest.mark.stack]

CUMULATIVE = 2


def point(value: float, labels: dict[str, str], ago_seconds: float = 0) -> NumberDataPoint:
    at = time.time_ns() - round(ago_seconds * 1e9)
    return NumberDataPoint(time_unix_nano=at, as_double=value, attributes=otlp.attributes(labels))


def counter(name: str, *points: NumberDataPoint) -> Metric:
    return Metric(name=name, sum=Sum(data_points=points, is_monotonic=True, aggregation_temporality=CUMULATIVE))


def gauge(metric: semconv.Metric, *points: NumberDataPoint) -> Metric:
    return Metric(name=metric.name, unit=metric.unit, gauge=Gauge(data_points=points))


def request(service: str, instance: str, *metrics: Metric) -> ExportMetricsServiceRequest:
    about = {semconv.SERVICE_NAME: service, semconv.SERVICE_INSTANCE_ID: instance}
    sent = ResourceMetrics(
        resource=Resource(attributes=otlp.attributes(about)), scope_metrics=[ScopeMetrics(metrics=metrics)]
    )
    return ExportMetricsServiceRequest(resource_metrics=[sent])


def run(name: str) -> ExportMetricsServiceRequest:
    """Return what a run says that has lost records of each signal, and others that wait."""
    logs = {"": 100, "evicted": 3, "merged": 50, "invalid": 1, "rejected": 12}
    return request(
        "yolo",
        name,
        counter(
            semconv.SDK_LOG_EXPORTED.name,
            *(point(count, {semconv.ERROR_TYPE: error} if error else {}) for error, count in logs.items()),
        ),
        counter(semconv.SDK_SPAN_EXPORTED.name, point(2, {semconv.ERROR_TYPE: "evicted"})),
        gauge(semconv.SHIPPER_PENDING, point(7, {semconv.SIGNAL: "logs"}), point(5, {semconv.SIGNAL: "traces"})),
        gauge(semconv.SHIPPER_QUEUE_AGE, point(400, {semconv.SIGNAL: "logs"}), point(0, {semconv.SIGNAL: "traces"})),
    )


def long_ago() -> ExportMetricsServiceRequest:
    """Return what the first run said before the time range began: ten records had been rejected then."""
    before = point(10, {semconv.ERROR_TYPE: "rejected"}, RANGE_SECONDS + 300)
    return request("yolo", "run-1", counter(semconv.SDK_LOG_EXPORTED.name, before))


def gateway() -> ExportMetricsServiceRequest:
    """Return what a gateway says whose backends have refused records for good."""
    logs, other = {"exporter": "otlp_http/victorialogs"}, {"exporter": "otlp_http/other"}
    return request(
        "otelcol",
        "gateway-1",
        counter("otelcol_exporter_sent_log_records", point(90, logs), point(90, other)),
        counter("otelcol_exporter_send_failed_log_records", point(4, logs), point(1, other)),
        counter("otelcol_exporter_sent_metric_points", point(60, other)),
        counter("otelcol_exporter_sent_spans", point(60, other)),
        counter("otelcol_exporter_send_failed_spans", point(2, other)),
    )


def log_store() -> ExportMetricsServiceRequest:
    """Return what VictoriaLogs says that has left out records, five of them before the time range began."""
    few, old = {"reason": "too_many_fields"}, {"reason": "too_small_timestamp"}
    before = point(5, few, RANGE_SECONDS + 300)
    return request("victorialogs", "logs-1", counter("vl_rows_dropped", before, point(5 + 3, few), point(0, old)))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("troubles")
    with Prometheus(folder, {"global": {"scrape_interval": "15s"}}, FLAGS) as prometheus:
        for sent in (long_ago(), run("run-1"), run("run-2"), log_store(), gateway()):
            otlp.send(prometheus.url + "/api/v1/otlp", sent)
        demo = Demo(prometheus.url, "", "", "", Path(), time.time())
        eventually(partial(has_all, demo))
        yield demo


def has_all(demo: Demo) -> bool:
    return len(Asker(demo, {}, {}).prometheus("otelcol_exporter_sent_spans_total").result) == 1


def panel(told: Demo, title: str) -> list[Answer]:
    return Asker(told, read("pipeline"), {}).panel(title)


def test_what_was_lost_in_the_range_is_counted_by_its_cause_and_what_was_merged_is_not(told: Demo) -> None:
    causes = {("evicted",): 2 * (3 + 2), ("invalid",): 2, ("rejected",): (12 - 10) + 12}
    assert panel(told, "Why records were lost")[0].by("error_type") == causes
    assert panel(told, "Records lost")[0].number == sum(causes.values())


def test_what_waits_is_counted_and_the_oldest_is_told(told: Demo) -> None:
    assert panel(told, "Records waiting")[0].number == 2 * 12
    assert panel(told, "Oldest waits for")[0].number == 400


def test_what_a_backend_refused_is_told_of_that_backend(told: Demo) -> None:
    assert panel(told, "Refused by a backend for good")[0].number == 4 + 1 + 2 + 3
    logs, samples, spans, left_out = panel(told, "Refused for good")
    assert left_out.by("reason") == {("too_many_fields",): 3, ("too_small_timestamp",): 0}
    assert logs.by("exporter") == {("otlp_http/victorialogs",): 4, ("otlp_http/other",): 1}
    assert samples.by("exporter") == {("otlp_http/other",): 0}
    assert spans.by("exporter") == {("otlp_http/other",): 2}
