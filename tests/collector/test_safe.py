"""Between job, agent and gateway: who shows no token, a wrong one, no certificate or an old one is refused, and keeps
what it has to send; plain text is refused; nobody listens to other machines unless told to."""

from __future__ import annotations

import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from synapse_otel.journal.cursor import read_cursor
from synapse_otel.semconv.signal import Signal
from tests.collector.otelcol import resolved
from tests.collector.safe_tiers import TOKEN, Safe
from tests.eventually import eventually
from tests.faults.running import Place
from tests.sink import Sink, body
from tests.stack import otlp
from tools.collector.versions import files
from tools.stack.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.once]

MESSAGES = [f"message {number}" for number in range(8)]


@pytest.fixture(scope="module")
def safe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Safe]:
    with Sink() as sink:
        made = Safe(tmp_path_factory.mktemp("safe"), sink)
        with made.stack:
            yield made


# --- a job to the agent --------------------------------------------------------------------------------------


@pytest.fixture
def place(safe: Safe, tmp_path: Path) -> Iterator[Place]:
    found = Place(tmp_path / "journals")
    yield found
    found.end_shippers()


def send(place: Place, safe: Safe, protocol: str = "http/protobuf", **variables: str) -> tuple[int, int]:
    """Run a job against the agent; return how many of its records are delivered and pending, none is dropped."""
    url = safe.stack.otlp_grpc if protocol == "grpc" else safe.stack.otlp_http
    place.endpoint = variables.pop("ENDPOINT", safe.address(url))
    place.variables["OTEL_EXPORTER_OTLP_PROTOCOL"] = protocol
    place.variables["SYNAPSE_OTEL_EXIT_TIMEOUT"] = "5"
    settings = {"CERTIFICATE": str(safe.path("ca.pem")), "HEADERS": f"Authorization=Bearer%20{TOKEN}", **variables}
    place.variables |= {f"OTEL_EXPORTER_OTLP_{name}": value for name, value in settings.items() if value}
    ended = place.run("normal", len(MESSAGES))
    assert ended.code == 0
    said = re.search(r"delivered (\d+) · pending (\d+) · dropped 0", ended.err)
    assert said, ended.err
    return int(said[1]), int(said[2])


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_job_with_the_token_is_served_by_both_tiers(safe: Safe, place: Place, protocol: str) -> None:
    safe.sink.requests.clear()
    delivered, pending = send(place, safe, protocol)
    assert delivered > len(MESSAGES)
    assert pending == 0
    safe.sink.wait(lambda: [body(record) for record in safe.sink.logs()][1:-1] == MESSAGES, within=20)


@pytest.mark.parametrize(
    "variables",
    [
        {"HEADERS": "Authorization=Bearer%20wrong"},
        {"HEADERS": ""},
        {"CERTIFICATE": "stranger.pem"},
        {"ENDPOINT": "http"},
    ],
    ids=["a wrong token", "no token", "an unknown authority", "plain text"],
)
def test_who_is_refused_by_the_agent_keeps_all(safe: Safe, place: Place, variables: dict[str, str]) -> None:
    safe.sink.requests.clear()
    if "CERTIFICATE" in variables:
        variables = {"CERTIFICATE": str(safe.path(variables["CERTIFICATE"]))}
    if "ENDPOINT" in variables:
        variables = {"ENDPOINT": safe.stack.otlp_http}
    place.variables["SYNAPSE_OTEL_EXIT_TIMEOUT"] = "1"
    delivered, pending = send(place, safe, **variables)
    assert delivered == 0
    assert pending > len(MESSAGES)
    assert safe.sink.logs() == []
    [folder] = place.folders()
    cursor = read_cursor(folder, Signal.LOGS)
    assert cursor.failure
    assert (cursor.delivered, cursor.dropped, cursor.complete) == (0, {}, False)


# --- the agent to the gateway --------------------------------------------------------------------------------


@contextmanager
def agent(safe: Safe, folder: Path, settings: dict[str, str]) -> Iterator[Stack]:
    """Run a second agent, plain towards its senders, that sends to the safe gateway."""
    gateway = safe.stack.gateway_otlp_grpc.removeprefix("http://")
    environment = {"COLLECTOR_GATEWAY_ENDPOINT": gateway, **settings}
    with Stack(("agent",), directory=folder, environments={"agent": environment}) as stack:
        yield stack


def one_record(stack: Stack) -> str:
    text = f"record of {otlp.new_service()}"
    otlp.send(stack.otlp_http, otlp.logs("safe", [otlp.record(time.time_ns(), text)]))
    return text


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda safe: safe.sending(certificate="expired"), "expired|bad certificate"),
        (lambda safe: safe.sending(certificate="stranger"), "certificate"),
        (lambda _safe: {}, "connection error|error reading server preface"),
    ],
    ids=["an expired certificate", "a strange certificate", "plain text"],
)
def test_what_the_gateway_does_not_take_the_agent_keeps(
    safe: Safe, tmp_path: Path, wrong: Callable[[Safe], dict[str, str]], said: str
) -> None:
    with agent(safe, tmp_path, wrong(safe)) as stack:
        text = one_record(stack)
        eventually(lambda: re.search(said, stack.log("agent")), within=20)
        assert text not in {body(record) for record in safe.sink.logs()}
    with agent(safe, tmp_path, safe.sending()):  # the same queue
        safe.sink.wait(lambda: text in {body(record) for record in safe.sink.logs()}, within=20)


def failed(stack: Stack) -> float:
    with urllib.request.urlopen(stack.collector_metrics("agent"), timeout=5) as answer:
        text = answer.read().decode()
    found = re.findall(r"^otelcol_exporter_send_failed_log_records_total\{.*\} (\S+)$", text, re.MULTILINE)
    return sum(map(float, found))


def test_a_token_that_the_gateway_does_not_know_is_refused_and_counted(safe: Safe, tmp_path: Path) -> None:
    """This answer is final: a new token is first made known to the gateway, beside the old one."""
    with agent(safe, tmp_path, safe.sending(tokens="strangers.tokens")) as stack:
        text = one_record(stack)
        eventually(lambda: failed(stack) == 1, within=20)
    assert text not in {body(record) for record in safe.sink.logs()}


def test_a_gateway_whose_certificate_has_expired_gets_nothing(safe: Safe, tmp_path: Path) -> None:
    expired = safe.serving("server", certificate="expired")
    settings = {"COLLECTOR_LOGS_ENDPOINT": safe.sink.url}
    with Stack(("gateway",), directory=tmp_path, environments={"gateway": settings | expired}) as gateway:
        address = gateway.gateway_otlp_grpc.removeprefix("http://")
        with agent(safe, tmp_path, safe.sending() | {"COLLECTOR_GATEWAY_ENDPOINT": address}) as stack:
            text = one_record(stack)
            eventually(lambda: "certificate has expired" in stack.log("agent"), within=20)
    with agent(safe, tmp_path, safe.sending()):
        safe.sink.wait(lambda: text in {body(record) for record in safe.sink.logs()}, within=20)


def test_an_agent_that_keeps_nothing_hands_a_refused_token_back_to_the_sender(safe: Safe, tmp_path: Path) -> None:
    settings = safe.sending(tokens="strangers.tokens") | {"COLLECTOR_AGENT_QUEUE": "through"}
    with agent(safe, tmp_path, settings) as stack, pytest.raises(urllib.error.HTTPError, match="401"):
        one_record(stack)


# --- listeners -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tier", ["agent", "gateway"])
def test_nobody_listens_to_other_machines_unless_told_to(safe: Safe, tier: str) -> None:
    found = listeners(safe.stack.pid(tier))
    assert len(found) == 4  # OTLP over gRPC and HTTP, health, own metrics
    assert set(found) == {"127.0.0.1"}


@pytest.mark.parametrize("tier", ["agent", "gateway"])
def test_every_address_is_on_loopback_by_default(tier: str) -> None:
    configuration = resolved(files(tier))
    protocols = configuration["receivers"]["otlp"]["protocols"]
    endpoints = [protocols["grpc"]["endpoint"], protocols["http"]["endpoint"]]
    endpoints.append(configuration["extensions"]["health_check"]["endpoint"])
    [reader] = configuration["service"]["telemetry"]["metrics"]["readers"]
    endpoints.append(reader["pull"]["exporter"]["prometheus"]["host"])
    assert {endpoint.partition(":")[0] for endpoint in endpoints} == {"127.0.0.1"}


def listeners(pid: int) -> list[str]:
    """Return the address of each socket on which a process listens."""
    links = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
    found = []
    for family, table in ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6")):
        for line in Path(f"/proc/{pid}/net/{table}").read_text(encoding="utf-8").splitlines()[1:]:
            local, state, inode = (line.split()[column] for column in (1, 3, 9))
            if state == _LISTEN and f"socket:[{inode}]" in links:
                words = [bytes.fromhex(local.partition(":")[0])[at : at + 4][::-1] for at in range(0, 16, 4)]
                found.append(socket.inet_ntop(family, b"".join(words)))
    return found


_LISTEN = "0A"
