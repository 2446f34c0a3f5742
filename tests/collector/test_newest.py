"""The files of collector/ on the newest Collector: beside the version that ships, and on both tiers."""

from __future__ import annotations

import itertools
import re
import time
import urllib.error
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.collector.routing_tiers import running_tiers
from tests.collector.safe_tiers import TOKEN, Safe
from tests.eventually import eventually
from tests.faults.running import Place
from tests.sink import Answer, Sink, attributes, body
from tests.sink_grpc import GrpcSink
from tests.stack import otlp
from tools.collector.inputs import COLLECTOR
from tools.collector.versions import NEWEST, SHIPPED, gateway_files
from tools.stack.fetch import get_text
from tools.stack.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.once]

PAIRS = {
    "newest agent": {"agent": NEWEST, "gateway": SHIPPED},
    "newest gateway": {"agent": SHIPPED, "gateway": NEWEST},
    "newest agent and gateway": {"agent": NEWEST, "gateway": NEWEST},
}
"""By name: the recipe of each tier's program."""
OPTIONAL_SINKS = ("ALERTS", "END_USERS", "TRAINING", "ANNOTATION", "ACME", "GLOBEX")
MESSAGES = [f"message {number}" for number in range(8)]
NOBODY = "http://127.0.0.1:1"


# --- a job's records through both tiers ----------------------------------------------------------------------


@dataclass(frozen=True)
class Tiers:
    """The running tiers, what receives behind them, and what a job needs to reach the agent."""

    stack: Stack
    sink: Sink
    traces: GrpcSink
    address: Callable[[str], str]
    variables: Mapping[str, str]

    def run_job(self, place: Place, protocol: str) -> str:
        """Run a job that records something of every signal; return what it says when it has ended."""
        place.endpoint = self.address(self.stack.otlp_grpc if protocol == "grpc" else self.stack.otlp_http)
        place.variables |= {"OTEL_EXPORTER_OTLP_PROTOCOL": protocol, **self.variables}
        place.variables["SYNAPSE_OTEL_EXIT_TIMEOUT"] = "20"
        ended = place.run("normal", len(MESSAGES))
        assert ended.code == 0
        return ended.err


@pytest.fixture(scope="module", params=itertools.product(PAIRS, ["plain", "TLS and tokens"]), ids=", ".join)
def tiers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiers]:
    pair, safety = request.param
    folder = tmp_path_factory.mktemp("newest")
    programs, files = PAIRS[pair], gateway_files(PAIRS[pair]["gateway"], folder / "files")
    with ExitStack() as entered:
        sink, elsewhere = entered.enter_context(Sink()), entered.enter_context(Sink())
        traces = entered.enter_context(GrpcSink())
        gateway = {
            **{f"COLLECTOR_{name}_ENDPOINT": elsewhere.url for name in OPTIONAL_SINKS},
            "COLLECTOR_LOGS_ENDPOINT": sink.url,
            "COLLECTOR_METRICS_ENDPOINT": sink.url,
            "COLLECTOR_TRACES_ENDPOINT": traces.url.removeprefix("http://"),
        }
        if safety == "plain":
            stack = Stack(
                ("agent", "gateway"),
                directory=folder,
                environments={"gateway": gateway},
                programs=programs,
                files=files,
            )
            yield Tiers(entered.enter_context(stack), sink, traces, str, {})
        else:
            safe = Safe(folder, sink, gateway=gateway, programs=programs, files=files)
            variables = {
                "OTEL_EXPORTER_OTLP_CERTIFICATE": str(safe.path("ca.pem")),
                "OTEL_EXPORTER_OTLP_HEADERS": f"Authorization=Bearer%20{TOKEN}",
            }
            yield Tiers(entered.enter_context(safe.stack), sink, traces, safe.address, variables)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    found = Place(tmp_path / "journals")
    yield found
    found.end()


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_logs_metrics_and_traces_of_a_job_arrive(tiers: Tiers, place: Place, protocol: str) -> None:
    tiers.sink.requests.clear()
    tiers.traces.requests.clear()

    said = tiers.run_job(place, protocol)

    assert re.search(r"delivered [1-9]\d* · pending 0 · dropped 0", said), said
    tiers.sink.wait(lambda: [body(record) for record in tiers.sink.logs()][1:-1] == MESSAGES, within=20)
    tiers.sink.wait(lambda: tiers.sink.last("synapse.job.metric") == 0.5, within=20)
    tiers.traces.wait(tiers.traces.spans, within=20)


# --- what the pipelines do -----------------------------------------------------------------------------------


def test_the_newest_tiers_redact_shape_and_filter_as_the_shipped_do(tmp_path: Path) -> None:
    """Each sink's own pipeline is as in routes.yaml; what would lead there is the table's affair, and left out."""
    files = gateway_files(NEWEST, tmp_path / "files")
    programs = PAIRS["newest agent and gateway"]
    with running_tiers(tmp_path, {}, programs=programs, files=files) as running:
        send_one_of_each(running.stack.otlp_http)
        running.settle()
        sinks = running.sinks
        [record] = sinks["victorialogs"].logs()
        [resource] = resources(sinks["victorialogs"])
        [unshaped] = sinks["alerts"].logs()
        assert {name for name, sink in sinks.items() if len(sink.spans(markers=True)) == 2} == WITH_MARKERS
        assert [span.name for span in sinks["end_users"].spans(markers=True)] == ["train"]
        assert {name for name, sink in sinks.items() if sink.points("synapse.job.metric")} == WITH_METRICS
    assert attributes(record) == {"password": "****", "attributes.trace_id": "not the record's own"}
    assert body(record) == '{"epoch":1}'
    assert resource["stream.service"] == resource["service.name"]
    assert "stream.action" not in resource
    assert (attributes(unshaped)["trace_id"], body(unshaped)) == ("not the record's own", {"epoch": 1})


WITH_MARKERS = {"jaeger", "alerts", "training", "annotation", "acme", "globex"}
WITH_METRICS = {"prometheus", "prometheus_late", "end_users", "training", "annotation", "acme", "globex"}


def send_one_of_each(url: str) -> None:
    """Send a log record that the pipelines change, a span and the marker of another, and a metric."""
    now = time.time_ns()
    record = otlp.record(now, "")
    record.body.CopyFrom(AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="epoch", value=_number(1))])))
    record.attributes.extend(otlp.attributes({"password": "0815", "trace_id": "not the record's own"}))
    span = Span(trace_id=bytes(15) + b"1", span_id=bytes(7) + b"1", name="train", start_time_unix_nano=now)
    marker = Span(trace_id=bytes(15) + b"1", span_id=bytes(7) + b"2", name="started", start_time_unix_nano=now)
    marker.attributes.append(KeyValue(key="synapse.span.marker", value=AnyValue(bool_value=True)))
    otlp.send(url, otlp.logs("yolo", [record]))
    otlp.send(url, otlp.traces("yolo", [span, marker]))
    otlp.send(url, otlp.metrics("yolo", [otlp.gauge("synapse.job.metric", "", [(now // 1_000_000, 2.0)], "job")]))


def _number(value: int) -> AnyValue:
    return AnyValue(int_value=value)


def resources(sink: Sink) -> list[dict[str, Any]]:
    """Return the attributes of the resource of each request for logs."""
    requests = sink.accepted("/v1/logs")
    return [attributes(logs.resource) for request in requests for logs in request.message.resource_logs]


# --- an upgrade, and the way back ----------------------------------------------------------------------------


@pytest.mark.parametrize("tier", ["agent", "gateway"])
@pytest.mark.parametrize(("before", "after"), [(SHIPPED, NEWEST), (NEWEST, SHIPPED)])
def test_what_one_version_has_in_its_queue_the_other_delivers(
    tier: str, before: str, after: str, tmp_path: Path
) -> None:
    text = f"record of {otlp.new_service()}"
    with one_tier(tier, before, tmp_path, NOBODY) as stack:
        url = stack.otlp_http if tier == "agent" else stack.gateway_otlp_http
        otlp.send(url, otlp.logs("upgrade", [otlp.record(time.time_ns(), text)]))
    kind = GrpcSink if tier == "agent" else Sink
    with kind() as sink, one_tier(tier, after, tmp_path, sink.url):
        sink.wait(lambda: [body(record) for record in sink.logs()] == [text], within=20)


def one_tier(tier: str, program: str, folder: Path, target: str) -> Stack:
    """Return a tier by itself, its logs for `target`."""
    sinks = {"COLLECTOR_GATEWAY_ENDPOINT": target.removeprefix("http://"), "COLLECTOR_LOGS_ENDPOINT": target}
    files = gateway_files(program, folder / program) if tier == "gateway" else None
    return Stack((tier,), directory=folder, environments={tier: sinks}, programs={tier: program}, files=files)


# --- what the Collectors count -------------------------------------------------------------------------------


def asked_for() -> set[str]:
    """Return the Collectors' own series that alerts and dashboards ask for."""
    paths = [*(COLLECTOR / "alerts").glob("*.rules.yaml"), *(COLLECTOR.parent / "grafana").rglob("*.json")]
    return {name for path in paths for name in re.findall(r"otelcol_\w+", path.read_text(encoding="utf-8"))}


def counted(stack: Stack, *tiers: str) -> set[str]:
    """Return the names of the series that these tiers expose."""
    texts = [get_text(stack.collector_metrics(tier)) for tier in tiers]
    return {name for text in texts for name in re.findall(r"^(otelcol_\w+)\{", text, re.MULTILINE)}


@pytest.mark.parametrize("program", [SHIPPED, NEWEST])
def test_series_have_the_names_that_alerts_and_dashboards_ask_for(program: str, tmp_path: Path) -> None:
    """Those of failures come with the first one: here a request for logs that the sink calls invalid."""
    files = gateway_files(program, tmp_path / "files")
    programs = {"agent": program, "gateway": program}
    with running_tiers(tmp_path, {}, programs=programs, files=files) as running:
        running.sinks["victorialogs"].answer = lambda _: Answer(400)
        send_one_of_each(running.stack.otlp_http)
        running.settle()
        found = eventually(lambda: with_failure(counted(running.stack, "agent", "gateway")), within=20)
    assert {name for name in asked_for() - found if not re.search("_(refused|failed)_", name)} == set()


def with_failure(found: set[str]) -> set[str]:
    return found if "otelcol_exporter_send_failed_log_records_total" in found else set()


@pytest.mark.parametrize("program", [SHIPPED, NEWEST])
def test_a_tier_at_its_memory_limit_counts_under_a_name_that_the_alert_asks_for(program: str, tmp_path: Path) -> None:
    full = {"COLLECTOR_MEMORY_LIMIT_MIB": "2"}
    with Stack(("agent",), directory=tmp_path, environment=full, programs={"agent": program}) as stack:
        eventually(lambda: is_refused(stack.otlp_http), within=20)
        found = {name for name in counted(stack, "agent") if "_refused_" in name}
    assert "otelcol_receiver_refused_log_records_total" in found & asked_for()
    assert any(name.startswith("otelcol_processor_") for name in found & asked_for()), found


def is_refused(url: str) -> bool:
    try:
        otlp.send(url, otlp.logs("yolo", [otlp.record(time.time_ns(), "text")]))
    except urllib.error.HTTPError as error:
        return error.code == 503
    return False
