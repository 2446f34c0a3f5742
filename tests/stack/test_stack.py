"""The real stack takes what a job sends and gives it back; one bad sample harms no other; two stacks do not clash."""

from __future__ import annotations

import os
import secrets
import signal
import time
from pathlib import Path

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric, NumberDataPoint, Sum
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.stack import otlp
from tools.stack import query
from tools.stack.errors import StartError
from tools.stack.polling import eventually
from tools.stack.stack import Stack

pytestmark = pytest.mark.stack

SECOND_NS = 1_000_000_000
HOUR_MS = 3_600_000


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def series(stack: Stack, selector: str) -> list[query.Series]:
    return query.prometheus_series(stack.prometheus, selector, time.time() - 7 * 86_400, time.time() + 3_600)


def samples(stack: Stack, selector: str) -> list[tuple[int, float]]:
    return sorted((sample.time_ms, sample.value) for each in series(stack, selector) for sample in each.samples)


def bodies(stack: Stack, service: str) -> list[str]:
    logsql = query.equal_fields({"service.name": service})
    records = query.log_records(stack.victorialogs, logsql, time.time() - 7 * 86_400, time.time() + 60)
    return [record.body for record in records]


def send_line(stack: Stack, service: str, body: str, time_ns: int | None = None) -> None:
    otlp.send(stack.otlp_http, otlp.logs(service, [otlp.record(time_ns or time.time_ns(), body)]))


def wait_for_lines(stack: Stack, service: str, expected: list[str]) -> None:
    def all_there() -> bool:
        assert sorted(bodies(stack, service)) == sorted(expected)
        return True

    eventually(all_there, timeout=60)


def test_a_span_arrives_whole(stack: Stack) -> None:
    service, start = otlp.new_service(), time.time_ns()
    trace_id, other_trace_id, other_span_id = (secrets.token_bytes(size) for size in (16, 16, 8))
    root = Span(
        trace_id=trace_id,
        span_id=secrets.token_bytes(8),
        name="train yolo",
        start_time_unix_nano=start,
        end_time_unix_nano=start + 2 * SECOND_NS,
        attributes=otlp.attributes({"synapse.job.id": "job-1"}),
    )
    step = Span(
        trace_id=trace_id,
        span_id=secrets.token_bytes(8),
        parent_span_id=root.span_id,
        name="load",
        start_time_unix_nano=start + SECOND_NS,
        end_time_unix_nano=start + 2 * SECOND_NS,
        status=Status(code=Status.STATUS_CODE_ERROR, message="no such file"),
        events=[
            Span.Event(
                name="synapse.job.message",
                time_unix_nano=start + SECOND_NS,
                attributes=otlp.attributes({"synapse.message.context": "danger"}),
            )
        ],
        links=[Span.Link(trace_id=other_trace_id, span_id=other_span_id)],
    )
    otlp.send(stack.otlp_http, otlp.traces(service, [step, root]))

    found = eventually(lambda: query.jaeger_trace(stack.jaeger, trace_id.hex()))

    first, second = found
    assert (first.name, first.parent_span_id, first.duration_us) == ("train yolo", None, 2_000_000)
    assert first.start_us == start // 1000
    assert first.attributes["synapse.job.id"] == "job-1"
    assert first.resource["service.name"] == service
    assert first.trace_id == trace_id.hex()
    assert second.parent_span_id == first.span_id
    assert second.attributes["otel.status_description"] == "no such file"
    assert second.links == ((other_trace_id.hex(), other_span_id.hex()),)
    event = query.SpanEvent("synapse.job.message", (start + SECOND_NS) // 1000, {"synapse.message.context": "danger"})
    assert second.events == (event,)
    by_tag = query.jaeger_search(stack.jaeger, service, tags={"synapse.job.id": "job-1"}, operation="train yolo")
    assert list(by_tag) == [trace_id.hex()]


def test_an_unknown_trace_is_empty(stack: Stack) -> None:
    assert query.jaeger_trace(stack.jaeger, secrets.token_hex(16)) == []


def test_every_sample_of_a_gauge_arrives_with_its_own_time(stack: Stack) -> None:
    service, job, now = otlp.new_service(), secrets.token_hex(4), now_ms()
    points = [(now - 40 + 10 * step, step / 4) for step in range(5)]
    otlp.send(stack.otlp_http, otlp.metrics(service, [otlp.gauge("synapse.job.progress", "1", points, job)]))
    selector = f'synapse_job_progress_ratio{{synapse_job_id="{job}"}}'

    found = eventually(lambda: series(stack, selector))

    assert [(sample.time_ms, sample.value) for sample in found[0].samples] == points
    assert found[0].labels["job"] == f"synapse/{service}"
    assert found[0].labels["service_name"] == service


def test_a_range_includes_both_its_ends(stack: Stack) -> None:
    service, job, now = otlp.new_service(), secrets.token_hex(4), now_ms()
    points = [(now - 2000, 1.0), (now - 1000, 2.0), (now, 3.0)]
    otlp.send(stack.otlp_http, otlp.metrics(service, [otlp.gauge("synapse.job.metric", "", points, job)]))
    selector = f'{{synapse_job_id="{job}",__name__="synapse_job_metric"}}'
    eventually(lambda: series(stack, selector))

    middle = query.prometheus_series(stack.prometheus, selector, (now - 2000) / 1000, (now - 1000) / 1000)

    assert [sample.value for sample in middle[0].samples] == [1.0, 2.0]


def test_a_log_record_arrives_with_its_event_name(stack: Stack) -> None:
    service, now = otlp.new_service(), time.time_ns()
    trace_id, span_id = secrets.token_bytes(16), secrets.token_bytes(8)
    sent = LogRecord()
    sent.CopyFrom(otlp.record(now, "run is complete", event_name="synapse.job.finished"))
    sent.trace_id, sent.span_id = trace_id, span_id
    sent.attributes.extend(otlp.attributes({"log.record.uid": "01J", "synapse.job.id": "job-1"}))
    otlp.send(stack.otlp_http, otlp.logs(service, [sent, otlp.record(now + 1, "plain")]))
    logsql = query.equal_fields({"service.name": service})

    def both() -> list[query.LogRecord]:
        records = query.log_records(stack.victorialogs, logsql, now / SECOND_NS - 60, now / SECOND_NS + 60)
        assert len(records) == 2
        return records

    event, plain = eventually(both)

    assert (event.time_ns, event.body) == (now, "run is complete")
    assert event.stream == f'{{stream.service="{service}"}}'
    expected = {
        "event_name": "synapse.job.finished",
        "severity_text": "INFO",
        "service.namespace": "synapse",
        "trace_id": trace_id.hex(),
        "span_id": span_id.hex(),
        "log.record.uid": "01J",
        "synapse.job.id": "job-1",
    }
    assert expected.items() <= event.fields.items()
    assert "event_name" not in plain.fields


def test_an_old_sample_harms_no_other(stack: Stack) -> None:
    service, job, now = otlp.new_service(), secrets.token_hex(4), now_ms()
    old = [(now - 100 * HOUR_MS, 1.0), (now - 3 * HOUR_MS, 2.0)]
    fresh = [(now - 1000, 3.0), (now, 4.0)]
    unstorable = [(0, 5.0), (now - 400 * HOUR_MS, 6.0), (now + HOUR_MS, 7.0)]
    mixed = otlp.gauge("synapse.job.metric", "", fresh[:1] + unstorable + old + fresh[1:], job)
    other = otlp.gauge("synapse.job.other", "", [(now, 8.0)], job)
    delta = Metric(
        name="synapse.job.delta",
        sum=Sum(
            aggregation_temporality=AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA,
            data_points=[NumberDataPoint(time_unix_nano=now * 1_000_000, as_double=1)],
        ),
    )

    unnamed = otlp.gauge("", "", [(now, 9.0)], job)

    otlp.send(stack.otlp_http, otlp.metrics(service, [mixed, delta, unnamed, other]))

    everything = sorted([*old, *fresh, (now, 8.0)])
    eventually(lambda: samples(stack, f'{{synapse_job_id="{job}"}}') == everything)
    assert '"data points": 5' in stack.log("gateway")


def test_a_line_hours_behind_its_stream_arrives(stack: Stack) -> None:
    service = otlp.new_service()
    send_line(stack, service, "now")
    wait_for_lines(stack, service, ["now"])

    send_line(stack, service, "five hours ago", time.time_ns() - 5 * 3600 * SECOND_NS)

    wait_for_lines(stack, service, ["five hours ago", "now"])


def test_the_queues_outlive_backend_gateway_and_agent(tmp_path: Path) -> None:
    service = otlp.new_service()
    with Stack(("agent", "gateway", "victorialogs"), directory=tmp_path) as own:
        send_line(own, service, "before")
        wait_for_lines(own, service, ["before"])
        own.kill("victorialogs", signal.SIGTERM)  # SIGKILL loses what is not on its disk yet: test_victorialogs
        send_line(own, service, "while the log store is away")
        own.kill("gateway")
        send_line(own, service, "while the gateway is away too")
        own.kill("agent")
        own.restart("agent")
        own.restart("gateway")
        send_line(own, service, "from the new agent")
        own.restart("victorialogs")

        every = ["before", "from the new agent", "while the log store is away", "while the gateway is away too"]
        wait_for_lines(own, service, every)


def test_metrics_wait_for_prometheus(tmp_path: Path) -> None:
    service, job, now = otlp.new_service(), secrets.token_hex(4), now_ms()
    with Stack(("agent", "gateway", "prometheus"), directory=tmp_path) as own:
        own.kill("prometheus")
        otlp.send(own.otlp_http, otlp.metrics(service, [otlp.gauge("synapse.job.metric", "", [(now, 1.0)], job)]))
        own.restart("prometheus")

        eventually(lambda: samples(own, f'{{synapse_job_id="{job}"}}') == [(now, 1.0)], timeout=60)


def test_two_stacks_do_not_clash(stack: Stack, tmp_path: Path) -> None:
    service = otlp.new_service()
    with Stack(directory=tmp_path) as second:
        send_line(second, service, "second")
        send_line(stack, service, "first")

        wait_for_lines(second, service, ["second"])
        wait_for_lines(stack, service, ["first"])
        second.check()


def test_a_part_that_ends_by_itself_is_named(tmp_path: Path) -> None:
    with Stack(("jaeger",), directory=tmp_path, environment={"JAEGER_MAX_TRACES": "7"}) as own:
        own.check()
        own.kill("jaeger")
        own.check()
        own.restart("jaeger")
        os.kill(own.pid("jaeger"), signal.SIGKILL)

        def reported() -> str:
            try:
                own.check()
            except StartError as error:
                return str(error)
            return ""

        assert eventually(reported).startswith("jaeger ended by itself (SIGKILL); the end of its log")


def test_a_server_that_cannot_start_shows_the_end_of_its_log(tmp_path: Path) -> None:
    wrong = Stack(("agent",), directory=tmp_path, environments={"agent": {"COLLECTOR_QUEUE_BYTES": "many"}})
    with pytest.raises(StartError, match=r"agent ended by itself \(exit status 1\)(.|\n)*queue_size"):
        wrong.start()
    wrong.stop()


def test_an_unknown_part_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match="no such part: tempo; there are agent, gateway, jaeger, prometheus, victorialogs"
    ):
        Stack(("tempo",), directory=tmp_path)
    with pytest.raises(ValueError, match="no such part: collector"):
        Stack(("agent",), directory=tmp_path, environments={"collector": {}})
