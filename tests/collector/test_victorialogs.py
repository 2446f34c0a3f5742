"""The log store: nothing that a job sends crashes it, its own fields are its own, and what it leaves out is counted."""

from __future__ import annotations

import secrets
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from synapse_otel import semconv
from tests.collector.test_alerts import alerts
from tests.stack import otlp
from tools.pull_plug.tiers import small_disk
from tools.stack import query
from tools.stack.fetch import get_text
from tools.stack.polling import eventually
from tools.stack.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.once]

SECOND_NS = 1_000_000_000
LOST_SECONDS = 5
"""docs/what-is-lost.md: a kill of VictoriaLogs loses what it has answered within this time at most."""


def text(value: str) -> AnyValue:
    return AnyValue(string_value=value)


def nested(**values: AnyValue) -> AnyValue:
    return AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key=key, value=each) for key, each in values.items()]))


def poison(kind: str) -> ExportLogsServiceRequest:
    """Return a request with a field that VictoriaLogs would have twice, and another record after it."""
    service, now = otlp.new_service(), time.time_ns()
    record = otlp.record(now, "poison", "synapse.message")
    request = otlp.logs(service, [record, otlp.record(now + 1, "next", "synapse.message")])
    [of_resource] = request.resource_logs
    sent = of_resource.scope_logs[0].log_records[0]
    if kind == "attribute":
        sent.attributes.extend(otlp.attributes({"stream.service": "x", "stream.action": "y", "service.name": "z"}))
    elif kind == "map":
        sent.attributes.append(KeyValue(key="stream", value=nested(service=text("x"), action=text("y"))))
    elif kind == "body":
        sent.body.CopyFrom(nested(stream=nested(service=text("x"), action=text("y"))))
    else:
        twice = {"service.name": service, semconv.ACTION: "train", "event_name": "x", "stream.service": "y"}
        of_resource.resource.attributes.extend([*otlp.attributes(twice), *otlp.attributes(twice)])
    return request


def service_of(request: ExportLogsServiceRequest) -> str:
    attributes = request.resource_logs[0].resource.attributes
    return next(each.value.string_value for each in attributes if each.key == "service.name")


def found(stack: Stack, service: str, count: int) -> list[query.LogRecord]:
    """Return the records of a service, once there are so many."""
    logsql, now = query.equal_fields({"stream.service": service}), time.time()

    def complete() -> list[query.LogRecord]:
        records = query.log_records(stack.victorialogs, logsql, now - 86_400, now + 86_400)
        assert len(records) == count
        return records

    return eventually(complete, timeout=30)


@pytest.mark.parametrize("kind", ["attribute", "map", "body", "resource"])
def test_a_field_that_occurs_twice_does_not_end_it(stack: Stack, kind: str) -> None:
    request, running = poison(kind), stack.pid("victorialogs")

    otlp.send(stack.otlp_http, request)

    records = found(stack, service_of(request), 2)
    assert {record.fields["stream.service"] for record in records} == {service_of(request)}
    stack.check()
    assert stack.pid("victorialogs") == running


def test_without_the_guard_it_does(tmp_path: Path) -> None:
    """As long as this holds, the guard in routes.yaml is needed."""
    with Stack(("victorialogs",), directory=tmp_path) as own:
        with pytest.raises((urllib.error.URLError, ConnectionError)):
            otlp.send(f"{own.victorialogs}/insert/opentelemetry", poison("resource"))
        eventually(lambda: "panic" in own.log("victorialogs"))


def test_an_attribute_never_hides_a_field_of_its_own(stack: Stack) -> None:
    service, now = otlp.new_service(), time.time_ns()
    trace_id, span_id = secrets.token_bytes(16), secrets.token_bytes(8)
    record = otlp.record(now, "the message", "synapse.message")
    record.trace_id, record.span_id = trace_id, span_id
    own = ("_msg", "_time", "_stream", "_stream_id", "event_name", "trace_id", "span_id", "severity_text")
    record.attributes.extend(otlp.attributes(dict.fromkeys((*own, "severity_number", "stream"), "hides it")))
    otlp.send(stack.otlp_http, otlp.logs(service, [record]))

    [stored] = found(stack, service, 1)

    assert (stored.time_ns, stored.body) == (now, "the message")
    assert stored.stream == f'{{stream.service="{service}"}}'
    assert stored.fields["event_name"] == "synapse.message"
    assert (stored.fields["trace_id"], stored.fields["span_id"]) == (trace_id.hex(), span_id.hex())
    assert (stored.fields["severity_text"], stored.fields["severity_number"]) == ("INFO", "9")
    for name in (*own, "severity_number", "stream"):
        assert stored.fields[f"attributes.{name}"] == "hides it"


def test_whose_a_record_is_only_its_resource_says(stack: Stack) -> None:
    service = otlp.new_service()
    claims = otlp.record(time.time_ns(), "claims", "")
    claims.attributes.extend(otlp.attributes({semconv.TENANT: "globex"}))
    request = otlp.logs(service, [claims])
    request.resource_logs[0].resource.attributes.extend(otlp.attributes({semconv.TENANT: "initech"}))
    otlp.send(stack.otlp_http, request)

    [stored] = found(stack, service, 1)

    assert stored.fields[semconv.TENANT] == "initech"
    assert stored.fields[f"attributes.{semconv.TENANT}"] == "globex"


def test_a_body_that_is_a_map_is_text(stack: Stack) -> None:
    service = otlp.new_service()
    record = LogRecord(time_unix_nano=time.time_ns(), body=nested(epoch=AnyValue(int_value=3), name=text("a")))
    otlp.send(stack.otlp_http, otlp.logs(service, [record]))
    [stored] = found(stack, service, 1)
    assert stored.body == '{"epoch":3,"name":"a"}'


def test_streams_do_not_grow_with_jobs(stack: Stack) -> None:
    service, now = otlp.new_service(), time.time_ns()
    for number in range(30):
        record = otlp.record(now + number, f"line {number}", f"event_{number}")
        record.severity_text = ("INFO", "ERROR", f"strange-{number}")[number % 3]
        record.attributes.extend(otlp.attributes({semconv.JOB_ID: f"job-{number}", semconv.CATEGORY: f"c{number}"}))
        request = otlp.logs(service, [record])
        extra = {
            semconv.ACTION: ("train", "export")[number % 2],
            semconv.SERVICE_INSTANCE_ID: f"run-{number}",
            semconv.TENANT: f"tenant-{number}",
            "host.name": f"host-{number}",
            "k8s.pod.name": f"pod-{number}",
        }
        request.resource_logs[0].resource.attributes.extend(otlp.attributes(extra))
        otlp.send(stack.otlp_http, request)

    records = found(stack, service, 30)

    assert {record.stream for record in records} == {
        f'{{stream.action="{action}",stream.service="{service}"}}' for action in ("train", "export")
    }
    assert {record.fields[semconv.JOB_ID] for record in records} == {f"job-{number}" for number in range(30)}


# --- what it loses, and what it leaves out ------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Stack]:
    with Stack(("victorialogs",), directory=tmp_path) as running:
        yield running


def send_each(own: Stack, service: str, seconds: float) -> dict[str, float]:
    """Send record after record for so long; return when each was accepted, on the monotonic clock."""
    accepted: dict[str, float] = {}
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        body = f"line {len(accepted)}"
        otlp.send(f"{own.victorialogs}/insert/opentelemetry", logs(service, body))
        accepted[body] = time.monotonic()
    return accepted


def logs(service: str, *bodies: str, time_ns: int = 0) -> ExportLogsServiceRequest:
    """Return a request as the gateway would make it."""
    now = time_ns or time.time_ns()
    request = otlp.logs(service, [otlp.record(now + at, body, "") for at, body in enumerate(bodies)])
    request.resource_logs[0].resource.attributes.extend(otlp.attributes({"stream.service": service}))
    return request


def kept(own: Stack, service: str) -> set[str]:
    now = time.time()
    logsql = query.equal_fields({"stream.service": service})
    return {record.body for record in query.log_records(own.victorialogs, logsql, now - 3600, now + 3600)}


def test_a_kill_loses_the_last_seconds_at_most(own: Stack) -> None:
    service = otlp.new_service()
    accepted = send_each(own, service, seconds=LOST_SECONDS + 3)
    killed = time.monotonic()
    own.kill("victorialogs")
    own.restart("victorialogs")

    stored = kept(own, service)
    ages = [killed - when for body, when in accepted.items() if body not in stored]

    assert max(ages, default=0) <= LOST_SECONDS
    print(f"lost {len(ages)} of {len(accepted)}, the oldest {max(ages, default=0):.1f} s before the kill")


def test_a_stop_loses_nothing(own: Stack) -> None:
    service = otlp.new_service()
    accepted = send_each(own, service, seconds=0.5)
    own.restart("victorialogs")
    assert kept(own, service) == accepted.keys()


def dropped(own: Stack) -> dict[str, float]:
    """Return what the alert SynapseLogStoreDropping asks for."""
    [alert] = [alert for alert in alerts() if alert["alert"] == "SynapseLogStoreDropping"]
    found: dict[str, float] = {}
    for line in get_text(f"{own.victorialogs}/metrics").splitlines():
        name, _, value = line.rpartition(" ")
        watched = name.startswith("vl_rows_dropped_total{") or ('level="warn"' in name and "/log_rows.go:" in name)
        if watched and float(value):
            assert name.partition("{")[0] in alert["expr"]
            found[name] = float(value)
    return found


@pytest.mark.parametrize("kind", ["ahead", "fields", "long", "name"])
def test_what_it_leaves_out_is_where_the_alert_looks(own: Stack, kind: str) -> None:
    service = otlp.new_service()
    ahead = time.time_ns() + 3 * 86_400 * SECOND_NS
    request = logs(service, "x" * 2_100_000 if kind == "long" else "left out", time_ns=ahead if kind == "ahead" else 0)
    [sent] = request.resource_logs[0].scope_logs[0].log_records
    if kind == "fields":
        sent.attributes.extend(otlp.attributes({f"a{number}": "x" for number in range(1001)}))
    if kind == "name":
        sent.attributes.extend(otlp.attributes({"a" * 129: "x"}))
    assert not dropped(own)

    otlp.send(f"{own.victorialogs}/insert/opentelemetry", request)
    otlp.send(f"{own.victorialogs}/insert/opentelemetry", logs(service, "kept"))

    eventually(lambda: dropped(own))
    eventually(lambda: kept(own, service) == {"kept"})


def test_old_records_are_not_left_out(own: Stack) -> None:
    service, days = otlp.new_service(), 3 * 365
    then = time.time_ns() - days * 86_400 * SECOND_NS
    otlp.send(f"{own.victorialogs}/insert/opentelemetry", logs(service, "of long ago", time_ns=then))

    def stored() -> list[query.LogRecord]:
        logsql = query.equal_fields({"stream.service": service})
        return query.log_records(own.victorialogs, logsql, then / SECOND_NS - 60, then / SECOND_NS + 60)

    assert [record.time_ns for record in eventually(stored)] == [then]
    assert not dropped(own)


def test_a_full_disk_makes_the_gateway_keep_what_comes(tmp_path: Path) -> None:
    data = tmp_path / "stack" / "victorialogs"
    with (
        small_disk(data, 400) as mounted,
        Stack(("victorialogs", "gateway"), directory=tmp_path / "stack") as own,
    ):
        if not mounted:
            pytest.skip("only root can mount a small disk")
        service, filler = otlp.new_service(), data / "filler"
        filler.write_bytes(bytes(200 << 20))
        eventually(lambda: _read_only(own))

        otlp.send(own.gateway_otlp_http, otlp.logs(service, [otlp.record(time.time_ns(), "kept", "")]))
        eventually(lambda: "429" in own.log("gateway") or "Too Many Requests" in own.log("gateway"))
        assert kept(own, service) == set()
        filler.unlink()

        [record] = found(own, service, 1)
        assert record.body == "kept"
        own.check()


def _read_only(own: Stack) -> bool:
    lines = get_text(f"{own.victorialogs}/metrics").splitlines()
    return any(line.startswith("vl_storage_is_read_only{") and line.endswith(" 1") for line in lines)
