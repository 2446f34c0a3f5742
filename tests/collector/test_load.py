"""The load of the Collector's benchmark is what jobs send; what it counts is what arrived. No test measures speed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks.collector.generator import Orders
from benchmarks.collector.plan import kafka_plan, plan
from benchmarks.collector.requests import Request, SimulatedJob
from benchmarks.collector.running import generating, running
from benchmarks.report import Table
from tests.sink import Sink, attributes, body
from tools.stack.fetch import get_json
from tools.stack.polling import eventually
from tools.stack.stack import Stack


def content(request: Request) -> bytes:
    head, _, found = bytes(request.bytes).partition(b"\r\n\r\n")
    assert f"Content-Length: {len(found)}".encode() in head
    return found


def test_a_stamped_request_holds_new_uids_and_the_time() -> None:
    request = SimulatedJob(7).logs(20)
    uids, before = set(), time.time_ns()
    for number in range(3):
        request.stamp(number)
        [found] = ExportLogsServiceRequest.FromString(content(request)).resource_logs
        records = found.scope_logs[0].log_records
        assert len(records) == request.records == 20
        assert all(before <= record.time_unix_nano <= time.time_ns() for record in records)
        assert before <= int(body(records[0]).removeprefix("sent at "), 16) <= time.time_ns()
        uids |= {attributes(record)["log.record.uid"] for record in records}
    assert len(uids) == 60


def test_jobs_differ_in_their_resources_and_ids() -> None:
    requests = [ExportLogsServiceRequest.FromString(content(SimulatedJob(number).logs(1))) for number in range(50)]
    instances = {attributes(request.resource_logs[0].resource)["service.instance.id"] for request in requests}
    jobs = {attributes(request.resource_logs[0].scope_logs[0].log_records[0])["synapse.job.id"] for request in requests}
    assert len(instances) == len(jobs) == 50


def test_samples_and_spans_are_counted_as_what_they_are() -> None:
    job = SimulatedJob(1)
    metrics, spans = job.metrics(4), job.spans(2)
    metrics.stamp(1)
    found = ExportMetricsServiceRequest.FromString(content(metrics)).resource_metrics[0].scope_metrics[0].metrics
    points = [point for metric in found for point in getattr(metric, metric.WhichOneof("data")).data_points]
    assert len(points) == metrics.records == 9
    sent = ExportTraceServiceRequest.FromString(content(spans)).resource_spans[0].scope_spans[0].spans
    assert len(sent) == spans.records == 2


@pytest.mark.stack
@pytest.mark.once
@pytest.mark.parametrize("queue", ["disk", "through"])
def test_all_that_is_accepted_is_counted_at_the_far_side(queue: str) -> None:
    with running(COLLECTOR_AGENT_QUEUE=queue) as tiers:
        load = tiers.load("mix", jobs=50, seconds=0.5, connections=5, rate=100)
    assert load.sent.requests > 10
    assert load.sent.log_records > 0
    assert load.sent.refused == {}
    assert 0 < load.delay(0.5) <= load.delay(0.99)
    assert all(load.cpu_seconds.values())


@pytest.mark.stack
@pytest.mark.once
@pytest.mark.parametrize("queue", ["disk", "through"])
def test_all_log_records_that_are_accepted_are_in_the_log_store_once(queue: str, tmp_path: Path) -> None:
    with Sink() as rest:
        own = {"COLLECTOR_GATEWAY_QUEUE": queue, "COLLECTOR_AGENT_QUEUE": queue, "COLLECTOR_METRICS_ENDPOINT": rest.url}
        parts = ("agent", "gateway", "victorialogs", "jaeger")
        with Stack(parts, directory=tmp_path, environment=own) as stack:
            port = int(stack.otlp_http.rpartition(":")[2])
            with generating(Orders(port, jobs=50, seconds=1.0, connections=5, kind="mix", rate=200)) as send:
                sent = send()
            counts = 'count() records, count_uniq("log.record.uid") uids'

            def stored() -> dict[str, int]:
                found = get_json(f"{stack.victorialogs}/select/logsql/query", [("query", f"* | stats {counts}")])
                return {name: int(count) for name, count in found.items()}

            eventually(lambda: stored()["uids"] >= sent.log_records, timeout=60)
            assert stored() == {"records": sent.log_records, "uids": sent.log_records}
    assert sent.refused == {}
    assert sent.log_records > 0


def test_the_plan_is_the_product_of_what_was_measured() -> None:
    head = ("jobs", "bytes/request", "agent, µs/request", "gateway, µs/request")
    found = plan(Table("growth", "", head, [("10,000", "1,000", "1,000", "100")]))
    million = dict(zip(found.head, found.rows[-1], strict=True))
    assert million["cores of all gateways"] == "100.0"
    assert million["gateways of 4 cores"] == "42"
    assert million["cores of an agent"] == "0.100"


def test_the_plan_with_kafka_counts_replicas_and_what_limits_a_gateway() -> None:
    head = (
        "through both tiers, requests/s",
        "bytes/request",
        "agent, µs/request",
        "broker, µs/request",
        "gateway, µs/request",
    )
    steady, full = ("800", "1,048,576", "200", "100", "400"), ("2,000", "1", "1", "1", "1")
    found = kafka_plan(Table("kafka-requests", "", head, [steady, full]))
    thousand = dict(zip(found.head, found.rows[0], strict=True))
    assert thousand["cores of an agent"] == "0.020"
    assert thousand["cores of all brokers"] == "0.3"
    assert thousand["MiB/s to the brokers' disks"] == "3,000"
    assert thousand["cores of all gateways"] == "0.4"
    assert thousand["gateways"] == "1"
    million = dict(zip(found.head, found.rows[-1], strict=True))
    assert million["gateways"] == "834"  # 1,200 messages a second each: what it took, and not its processors' 6,000
    assert million["partitions of each topic"] == "1,668"
    processors = kafka_plan(Table("kafka-requests", "", head, [steady, ("1,000,000", *full[1:])]))
    assert dict(zip(processors.head, processors.rows[-1], strict=True))["gateways"] == "167"
