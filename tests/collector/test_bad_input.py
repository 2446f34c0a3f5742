"""A tier with a setting that cannot work does not start, and its last line says where; what a sender does wrong stays
its own problem: it is refused, and others are served as before."""

from __future__ import annotations

import gzip
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Thread
from typing import Self

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue, KeyValueList

from tests.eventually import eventually
from tests.sink import Sink, body
from tests.stack import otlp
from tools.stack.build import build
from tools.stack.ports import Ports
from tools.stack.servers import CONFIGURATION, SERVERS
from tools.stack.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.once]

MEBIBYTE = 1 << 20
README = CONFIGURATION / "README.md"


# --- settings ------------------------------------------------------------------------------------------------


def start(tier: str, folder: Path, **settings: str) -> str:
    """Start a tier that should not start; return what it says in the end."""
    ports = Ports()
    server = SERVERS[tier](build(["collector"])["collector"], folder, ports)
    try:
        ended = subprocess.run(
            server.command,
            env={**os.environ, **server.environment, **settings},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    finally:
        ports.close()
    assert ended.returncode == 1, ended.stderr
    return ended.stderr[ended.stderr.rindex("Error: ") :]


def set_right(error: str) -> set[str]:
    """Return the variables that README.md says to set right when a tier ends with this error."""
    rows = re.findall(r"^\| (`.*) \| (.*) \|$", README.read_text(encoding="utf-8"), re.MULTILINE)
    found = set()
    for phrases, variables in rows:
        for phrase in re.findall(r"`([^`]+)`", phrases):
            if phrase.count(" ") > 1 and all(part in error for part in phrase.split("...")):
                found.update(re.findall(r"COLLECTOR_[A-Z_]+", variables))
    return found


@pytest.mark.parametrize(
    ("variable", "said"),
    {
        "COLLECTOR_LOGS_ENDPOINT": "otlp_http/victorialogs: at least one endpoint must be specified",
        "COLLECTOR_METRICS_ENDPOINT": "otlp_http/prometheus: at least one endpoint must be specified",
        "COLLECTOR_TRACES_ENDPOINT": 'otlp_grpc/jaeger: requires a non-empty "endpoint"',
        "COLLECTOR_ALERTS_ENDPOINT": "otlp_http/alerts: at least one endpoint must be specified",
    }.items(),
)
def test_the_gateway_does_not_start_without_the_address_of_a_backend(tmp_path: Path, variable: str, said: str) -> None:
    found = start("gateway", tmp_path, **{variable: ""})
    assert said in found
    sink = said.partition(":")[0]
    assert set_right(found) == {variable} or set_right(found.replace(sink, "otlp_http/victorialogs"))


def test_the_agent_does_not_start_without_the_address_of_the_gateway(tmp_path: Path) -> None:
    for address, said in {"": 'otlp_grpc/gateway: requires a non-empty "endpoint"', "host": "missing port"}.items():
        found = start("agent", tmp_path, COLLECTOR_GATEWAY_ENDPOINT=address)
        assert said in found
        assert "COLLECTOR_GATEWAY_ENDPOINT" in set_right(found)


@pytest.mark.parametrize(
    ("content", "said"),
    {
        None: "no-such-file: no such file or directory",
        "": "bearertokenauth/server: no bearer token provided",
        "not a list": "'tokens' source data must be an array or slice",
    }.items(),
)
@pytest.mark.parametrize("tier", ["agent", "gateway"])
def test_a_tier_does_not_start_with_a_bad_file_of_tokens(
    tmp_path: Path, tier: str, content: str | None, said: str
) -> None:
    tokens = tmp_path / "no-such-file"
    if content is not None:
        tokens.write_text(content, encoding="utf-8")
    found = start(tier, tmp_path, COLLECTOR_AUTH="token", COLLECTOR_TOKEN_FILE=str(tokens))
    assert said in found
    if content is not None:  # else it is the file's own path that is said
        assert "COLLECTOR_TOKEN_FILE" in set_right(found)


def test_a_file_that_is_not_named_is_named_by_its_variable(tmp_path: Path) -> None:
    assert "COLLECTOR_TOKEN_FILE is not set" in start("agent", tmp_path, COLLECTOR_AUTH="token")
    assert "COLLECTOR_TLS_CERT_FILE is not set" in start("agent", tmp_path, COLLECTOR_TLS="server")


def test_a_mode_that_does_not_exist_is_named(tmp_path: Path) -> None:
    assert "_memory.yaml: no such file" in start("agent", tmp_path, COLLECTOR_AGENT_QUEUE="memory")
    assert "server_tls_yes.yaml: no such file" in start("gateway", tmp_path, COLLECTOR_TLS="yes")


@pytest.mark.parametrize("tier", ["agent", "gateway"])
def test_a_tier_does_not_start_where_it_cannot_keep_its_queues(tmp_path: Path, tier: str) -> None:
    taken = tmp_path / "file"
    taken.touch()
    nowhere = "/proc/queues"
    for path, said in {str(taken): f"file_storage: {taken} is not a dir", nowhere: f"mkdir {nowhere}"}.items():
        found = start(tier, tmp_path, COLLECTOR_STORAGE_PATH=path)
        assert said in found
        assert set_right(found) == {"COLLECTOR_STORAGE_PATH"}


@pytest.mark.parametrize(
    ("variable", "said"),
    {
        "COLLECTOR_OTLP_GRPC_ENDPOINT": 'failed to start "otlp" receiver: listen tcp {address}',
        "COLLECTOR_OTLP_HTTP_ENDPOINT": 'failed to start "otlp" receiver: listen tcp {address}',
        "COLLECTOR_HEALTH_ENDPOINT": "failed to start extensions: failed to bind to address {address}",
        "COLLECTOR_METRICS_PORT": "binding address {address} for Prometheus exporter",
    }.items(),
)
def test_a_tier_does_not_start_on_a_port_that_is_taken(tmp_path: Path, variable: str, said: str) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        address = "{}:{}".format(*taken.getsockname())
        value = address.rpartition(":")[2] if variable.endswith("PORT") else address
        found = start("agent", tmp_path, **{variable: value})
    assert said.format(address=address) in found
    assert variable in set_right(found)
    assert "address already in use" in found


@pytest.mark.parametrize(
    ("variable", "said"),
    {
        "COLLECTOR_QUEUE_BYTES": "'queue_size' expected type 'int64'",
        "COLLECTOR_MAX_REQUEST_MB": "'max_recv_msg_size_mib' expected type 'int'",
        "COLLECTOR_MEMORY_LIMIT_MIB": "'limit_mib' expected type 'uint32'",
    }.items(),
)
def test_a_tier_does_not_start_with_a_size_that_is_no_number(tmp_path: Path, variable: str, said: str) -> None:
    found = start("agent", tmp_path, **{variable: "much"})
    assert said in found
    assert set_right(found) == {variable}


# --- senders -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, Sink]]:
    """Run both tiers before a sink."""
    with Sink() as sink:
        backends = ("COLLECTOR_LOGS_ENDPOINT", "COLLECTOR_METRICS_ENDPOINT")
        environments = {"gateway": dict.fromkeys(backends, sink.url)}
        size = {"COLLECTOR_QUEUE_BYTES": str(32 * MEBIBYTE)}
        folder = tmp_path_factory.mktemp("tiers")
        with Stack(("agent", "gateway"), directory=folder, environment=size, environments=environments) as stack:
            yield stack, sink


def post(stack: Stack, content: bytes, path: str = "/v1/logs", **headers: str) -> int:
    """Send a request to the agent and return the status that it answers, 0 where it breaks the connection."""
    named = {
        "Content-Type": "application/x-protobuf",
        **{name.replace("_", "-"): text for name, text in headers.items()},
    }
    try:
        with urllib.request.urlopen(
            urllib.request.Request(stack.otlp_http + path, content, named), timeout=30
        ) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except (urllib.error.URLError, ConnectionError):
        return 0


def another_job_is_served(tiers: tuple[Stack, Sink]) -> None:
    """Check that a record of a job that does everything right arrives."""
    stack, sink = tiers
    text = f"record of {otlp.new_service()}"
    request = otlp.logs("another", [otlp.record(time.time_ns(), text)]).SerializeToString()
    eventually(lambda: post(stack, request) == 200, within=30, every=0.1)  # senders try again, as they should
    sink.wait(lambda: text in {body(record) for record in sink.logs()}, within=30)


@pytest.mark.parametrize("content", [b"no protobuf", b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x02\x12\xff"])
@pytest.mark.parametrize("path", ["/v1/logs", "/v1/metrics", "/v1/traces"])
def test_malformed_requests_are_refused(tiers: tuple[Stack, Sink], content: bytes, path: str) -> None:
    assert post(tiers[0], content, path) == 400


@pytest.mark.parametrize("content", [b'{"resourceLogs": 7}', b"{", b"[]"])
def test_malformed_json_is_refused(tiers: tuple[Stack, Sink], content: bytes) -> None:
    assert post(tiers[0], content, Content_Type="application/json") == 400


def test_what_is_no_otlp_is_refused(tiers: tuple[Stack, Sink]) -> None:
    assert post(tiers[0], b"", Content_Type="text/plain") == 415
    assert post(tiers[0], b"", "/v1/profiles-of-nobody") == 404
    assert post(tiers[0], b"no gzip", Content_Encoding="gzip") == 400
    another_job_is_served(tiers)


def test_a_request_of_100_mb_is_refused_and_takes_no_memory(tiers: tuple[Stack, Sink]) -> None:
    stack, sink = tiers
    before = peak_mebibytes(stack, "agent")
    assert post(stack, bytes(100_000_000)) in {0, 400, 413}
    bomb = gzip.compress(otlp.logs("bomb", [otlp.record(time.time_ns(), "x" * 100_000_000)]).SerializeToString())
    assert post(stack, bomb, Content_Encoding="gzip") in {400, 413}
    assert peak_mebibytes(stack, "agent") < before + 100
    another_job_is_served(tiers)
    assert not any(len(str(body(record))) > MEBIBYTE for record in sink.logs())


def peak_mebibytes(stack: Stack, part: str) -> float:
    status = Path(f"/proc/{stack.pid(part)}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def test_a_record_of_10_000_attributes_goes_its_way_and_harms_nobody(tiers: tuple[Stack, Sink]) -> None:
    stack, sink = tiers
    text = "a record of very many attributes"
    record = otlp.record(time.time_ns(), text)
    record.attributes.extend(otlp.attributes({f"attribute.{number}": "value" for number in range(10_000)}))
    otlp.send(stack.otlp_http, otlp.logs("many", [record]))
    another_job_is_served(tiers)
    sink.wait(lambda: text in {body(record) for record in sink.logs()}, within=20)


def test_deeply_nested_values_harm_nobody(tiers: tuple[Stack, Sink]) -> None:
    stack, _ = tiers
    value = AnyValue(string_value="the bottom")
    for _level in range(25):  # three messages each, and the sink's parser takes no more than 100 in each other
        value = AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="deeper", value=value)]))
    record = otlp.record(time.time_ns(), "deep")
    record.attributes.add(key="deep").value.CopyFrom(value)
    otlp.send(stack.otlp_http, otlp.logs("deep", [record]))
    another_job_is_served(tiers)


def test_a_flood_from_one_job_is_held_back_and_others_are_served(tiers: tuple[Stack, Sink]) -> None:
    stack, _ = tiers
    with Flood(stack) as flood:
        eventually(lambda: flood.answers[200] > 10, within=30)
        for _ in range(3):
            another_job_is_served(tiers)
    assert set(flood.answers) <= {200, 503}
    assert all(peak_mebibytes(stack, part) < 600 for part in ("agent", "gateway"))


class Flood:
    """A job that sends 100 requests of 1 MB as fast as it is let, over four connections; counts answers by status."""

    def __init__(self, stack: Stack) -> None:
        self.answers: Counter[int] = Counter()
        self._stack = stack
        self._over = Event()
        records = [otlp.record(time.time_ns(), "x" * 50_000) for _ in range(20)]
        self._request = otlp.logs("flood", records).SerializeToString()
        self._threads = [Thread(target=self._send) for _ in range(4)]

    def _send(self) -> None:
        for _ in range(25):
            if not self._over.is_set():
                self.answers[post(self._stack, self._request)] += 1

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
