"""Each fragment of backends/ works with the gateway's files; exemplars are what docs/backends.md says."""

from __future__ import annotations

import re
import secrets
import time
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Exemplar
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from synapse_otel import semconv
from tests.collector.otelcol import resolved, validate
from tests.sink import Sink
from tests.stack import otlp
from tools.collector.inputs import COLLECTOR
from tools.collector.versions import NEWEST, SHIPPED, files, files_for, gateway_files
from tools.stack import query
from tools.stack.fetch import get_json
from tools.stack.polling import eventually
from tools.stack.stack import Stack

BACKENDS = COLLECTOR / "backends"
FRAGMENTS = {
    "tempo": {"traces"},
    "mimir": {"metrics"},
    "loki": {"logs"},
    "victoriametrics": {"metrics"},
    "clickhouse": {"logs", "metrics", "traces"},
    "vendor": {"logs", "metrics", "traces"},
}
PAGE = (COLLECTOR.parent / "docs" / "backends.md").read_text(encoding="utf-8")
HOUR_MS = 3_600_000

pytestmark = pytest.mark.once

each_fragment = pytest.mark.parametrize("fragment", list(FRAGMENTS))


def variables(fragment: str) -> dict[str, str]:
    """Return the variables that only this fragment has, with their defaults."""
    text = (BACKENDS / f"{fragment}.yaml").read_text(encoding="utf-8")
    return dict(re.findall(rf"\$\{{env:(COLLECTOR_{fragment.upper()}_[A-Z_]+):-([^}}]*)\}}", text))


def token_file(folder: Path) -> str:
    path = folder / "token"
    path.write_text('- "vendors-token"\n', encoding="utf-8")
    return str(path)


def configs(*fragments: str) -> list[str]:
    return [str(BACKENDS / f"{fragment}.yaml") for fragment in fragments]


@pytest.mark.stack
@pytest.mark.parametrize("program", [SHIPPED, NEWEST])
@each_fragment
def test_the_collector_accepts_the_fragment_with_its_variables_set_and_unset(
    fragment: str, program: str, tmp_path: Path
) -> None:
    needed = {"COLLECTOR_VENDOR_TOKEN_FILE": token_file(tmp_path)} if fragment == "vendor" else {}
    whole = [*files_for(program, "gateway", tmp_path), *configs(fragment)]
    given = {name: _other(default) for name, default in variables(fragment).items()} | needed

    validate(whole, needed, program)
    validate(whole, given, program)

    exporters = resolved(whole, given, program)["exporters"]
    [own] = [name for name in exporters if fragment in name and not name.endswith("_late")]
    assert exporters[own]["endpoint"] == given[f"COLLECTOR_{fragment.upper()}_ENDPOINT"]


def _other(default: str) -> str:
    """Return another value of the kind that a variable's default is."""
    if "://" in default:
        return default.replace("127.0.0.1", "backend.test")
    return {"false": "true", "720h": "24h"}.get(default, "other")


@pytest.mark.stack
@each_fragment
def test_a_fragment_takes_its_signals_with_a_queue_on_the_disk_and_leaves_the_others(
    fragment: str, tmp_path: Path
) -> None:
    environment = {"COLLECTOR_VENDOR_TOKEN_FILE": token_file(tmp_path)}
    stock = resolved(files("gateway"))
    changed = resolved([*files("gateway"), *configs(fragment)], environment)
    moved = {
        name.partition("/")[0]
        for name, pipeline in changed["service"]["pipelines"].items()
        if pipeline != stock["service"]["pipelines"][name]
    }
    assert moved == FRAGMENTS[fragment]
    for name in set(changed["exporters"]) - set(stock["exporters"]):
        exporter = changed["exporters"][name]
        assert exporter["sending_queue"] == stock["exporters"]["otlp_http/victorialogs"]["sending_queue"]
        assert exporter["retry_on_failure"] == stock["exporters"]["otlp_http/victorialogs"]["retry_on_failure"]
    assert set(stock["service"]["extensions"]) <= set(changed["service"]["extensions"])


def test_the_page_lists_every_fragment_with_every_variable_and_its_default() -> None:
    assert set(FRAGMENTS) == {path.stem for path in BACKENDS.glob("*.yaml")} - {
        "remote-write",
        "long-term.rules",
        "long-term.test",
    }
    for fragment in FRAGMENTS:
        [row] = [line for line in PAGE.splitlines() if line.startswith(f"| [`{fragment}.yaml`]")]
        for name, default in variables(fragment).items():
            shown = "none" if default.endswith("is not set") else f"`{default}`" if default else "empty"
            assert f"`{name}` ({shown})" in row


def send_all_signals(base: str) -> None:
    now = time.time_ns()
    points = [(now // 1_000_000 - 3 * HOUR_MS, 1.0), (now // 1_000_000, 2.0)]
    span = Span(trace_id=secrets.token_bytes(16), span_id=b"12345678", name="train", start_time_unix_nano=now)
    otlp.send(base, otlp.traces("yolo", [span]))
    otlp.send(base, otlp.logs("yolo", [otlp.record(now, "hello", "synapse.message")]))
    otlp.send(base, otlp.metrics("yolo", [otlp.gauge("synapse.job.metric", "", points, "job-1")]))


@pytest.mark.stack
def test_traces_and_metrics_reach_tempo_and_mimir_as_their_tenants(tmp_path: Path) -> None:
    with Sink() as sink:
        environment = {
            "COLLECTOR_TEMPO_ENDPOINT": sink.url,
            "COLLECTOR_TEMPO_ORG": "jobs",
            "COLLECTOR_MIMIR_ENDPOINT": sink.url,
            "COLLECTOR_MIMIR_ORG": "jobs",
        }
        chosen = {"gateway": configs("tempo", "mimir")}
        with Stack(("gateway",), directory=tmp_path, environment=environment, configs=chosen) as stack:
            send_all_signals(stack.gateway_otlp_http)
            sink.wait(lambda: len(sink.spans()) == 1 and len(sink.points()) == 2)
        assert {request.headers["x-scope-orgid"] for request in sink.requests} == {"jobs"}
        assert sink.logs() == []
        assert len(sink.accepted("/v1/metrics")) == 2, "the late sample travels apart"


@pytest.mark.stack
def test_metrics_reach_victoriametrics_late_ones_apart(tmp_path: Path) -> None:
    with Sink() as sink:
        environment = {"COLLECTOR_VICTORIAMETRICS_ENDPOINT": sink.url}
        chosen = {"gateway": configs("victoriametrics")}
        with Stack(("gateway",), directory=tmp_path, environment=environment, configs=chosen) as stack:
            send_all_signals(stack.gateway_otlp_http)
            sink.wait(lambda: len(sink.points()) == 2)
        assert {request.path for request in sink.requests} == {"/v1/metrics"}


@pytest.mark.stack
def test_everything_reaches_a_vendor_with_its_token(tmp_path: Path) -> None:
    with Sink() as sink:
        environment = {
            "COLLECTOR_VENDOR_ENDPOINT": sink.url,
            "COLLECTOR_VENDOR_TOKEN_FILE": token_file(tmp_path),
            "COLLECTOR_VENDOR_HEADER": "api-key",
            "COLLECTOR_VENDOR_SCHEME": "",
        }
        chosen = {"gateway": configs("vendor")}
        with Stack(("gateway",), directory=tmp_path, environment=environment, configs=chosen) as stack:
            send_all_signals(stack.gateway_otlp_http)
            sink.wait(lambda: len(sink.spans()) == 1 and len(sink.logs()) == 1 and len(sink.points()) == 2)
        assert {request.headers["api-key"] for request in sink.requests} == {"vendors-token"}


@pytest.mark.stack
def test_the_gateway_starts_and_keeps_the_data_while_clickhouse_is_away(tmp_path: Path) -> None:
    environment = {"COLLECTOR_CLICKHOUSE_ENDPOINT": "tcp://127.0.0.1:1"}
    chosen = {"gateway": configs("clickhouse")}
    with Stack(("gateway",), directory=tmp_path, environment=environment, configs=chosen) as stack:
        send_all_signals(stack.gateway_otlp_http)
        eventually(lambda: "connection refused" in stack.log("gateway"))
        stack.check()
        assert "Dropping data" not in stack.log("gateway")


@pytest.mark.stack
def test_logs_reach_loki_with_the_name_of_their_event_and_few_severities(tmp_path: Path) -> None:
    with Sink() as sink:
        environment = {"COLLECTOR_LOKI_ENDPOINT": sink.url, "COLLECTOR_LOKI_ORG": "jobs"}
        chosen = {"gateway": configs("loki")}
        with Stack(("gateway",), directory=tmp_path, environment=environment, configs=chosen) as stack:
            event, strange = (otlp.record(time.time_ns(), name, name) for name in ("event", ""))
            strange.severity_text = "strange-7"
            otlp.send(stack.gateway_otlp_http, otlp.logs("yolo", [event, strange]))
            sink.wait(lambda: len(sink.logs()) == 2)
            assert "is now called" not in stack.log("gateway"), "with this file it is no former name"
        assert {request.headers["x-scope-orgid"] for request in sink.requests} == {"jobs"}
        texts = {record.body.string_value: record for record in sink.logs()}
        assert {each.key: each.value.string_value for each in texts["event"].attributes} == {"event.name": "event"}
        assert (texts["event"].severity_text, texts[""].severity_text) == ("INFO", "OTHER")


FORMER = {
    "COLLECTOR_JAEGER_ENDPOINT": ("COLLECTOR_TRACES_ENDPOINT", "otlp_grpc/jaeger"),
    "COLLECTOR_PROMETHEUS_ENDPOINT": ("COLLECTOR_METRICS_ENDPOINT", "otlp_http/prometheus"),
    "COLLECTOR_LOKI_ENDPOINT": ("COLLECTOR_LOGS_ENDPOINT", "otlp_http/victorialogs"),
}


@pytest.mark.stack
@pytest.mark.parametrize("former", FORMER)
def test_the_former_name_of_a_sink_still_works(former: str) -> None:
    now, exporter = FORMER[former]
    chosen = {former: "http://former.test:1", now: "http://now.test:1"}
    for environment, address in (({former: chosen[former]}, chosen[former]), (chosen, chosen[now])):
        found = resolved(files("gateway"), environment)
        assert found["exporters"][exporter]["endpoint"] == address
        assert {name for name, value in found["service"]["telemetry"]["resource"].items() if value} == {
            f"{former} is now called {now}"
        }


@pytest.mark.stack
@pytest.mark.parametrize("program", [SHIPPED, NEWEST])
def test_the_gateways_log_says_how_a_setting_is_called_now(program: str, tmp_path: Path) -> None:
    environments = {"gateway": {"COLLECTOR_LOKI_ENDPOINT": "http://loki.test"}}
    files, programs = gateway_files(program, tmp_path / "files"), {"gateway": program}
    with Stack(("gateway",), directory=tmp_path, environments=environments, files=files, programs=programs) as stack:
        resources = re.findall(r'"resource": (\{[^}]*\})', stack.log("gateway"))
    assert resources
    for resource in resources:
        assert "COLLECTOR_LOKI_ENDPOINT is now called COLLECTOR_LOGS_ENDPOINT" in resource
        assert "COLLECTOR_JAEGER_ENDPOINT" not in resource


@pytest.mark.stack
def test_prometheus_has_the_promoted_labels_and_exemplars(stack: Stack) -> None:
    service, job, trace_id = otlp.new_service(), secrets.token_hex(4), secrets.token_bytes(16)
    now = time.time_ns()
    metric = otlp.gauge("synapse.job.items", "{item}", [(now // 1_000_000, 5.0)], job)
    [point] = metric.gauge.data_points
    point.exemplars.append(Exemplar(time_unix_nano=now, as_double=1.0, trace_id=trace_id, span_id=b"12345678"))
    points = list(metric.gauge.data_points)
    metric.sum.data_points.extend(points)
    metric.sum.is_monotonic, metric.sum.aggregation_temporality = True, 2
    request = otlp.metrics(service, [metric])
    promoted = {
        semconv.TENANT: "acme",
        semconv.ACTION: "train",
        semconv.SERVICE_VERSION: "1.2.0",
        semconv.SERVICE_INSTANCE_ID: "run-1",
        "deployment.environment.name": "test",
    }
    request.resource_metrics[0].resource.attributes.extend(otlp.attributes(promoted))

    otlp.send(stack.otlp_http, request)

    selector = f'synapse_job_items_total{{synapse_job_id="{job}"}}'

    def found() -> Any:
        return query.prometheus_series(stack.prometheus, selector, now / 1e9 - 60, now / 1e9 + 60)

    [series] = eventually(found)
    expected = {
        "synapse_tenant": "acme",
        "synapse_action": "train",
        "service_version": "1.2.0",
        "deployment_environment_name": "test",
        "instance": "run-1",
        "job": f"synapse/{service}",
    }
    assert expected.items() <= series.labels.items()
    parameters = [("query", selector), ("start", str(now / 1e9 - 60)), ("end", str(now / 1e9 + 60))]
    [answer] = get_json(f"{stack.prometheus}/api/v1/query_exemplars", parameters)["data"]
    [exemplar] = answer["exemplars"]
    assert exemplar["labels"]["trace_id"] == trace_id.hex()
