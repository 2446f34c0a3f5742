"""Both transports against the real Collector: plain, TLS, mutual TLS, gzip, a token. What it takes has arrived."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
import yaml

from synapse_otel.journal.cursor import read_cursor
from synapse_otel.semconv.signal import Signal
from tests.faults.running import Place
from tests.sink import Sink, body
from tools.stack.build import build
from tools.stack.fetch import answers_ok
from tools.stack.ports import Ports
from tools.stack.process import Process

pytestmark = pytest.mark.stack

MESSAGES = [f"message {number}" for number in range(8)]
PROTOCOLS = ("http/protobuf", "grpc")
KINDS = ("plain", "tls", "mtls", "token")
TOKEN = "s3cr3t-of-the-test"


class Collector:
    """A Collector with a receiver of each kind, that passes everything on to a sink before it answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sink = Sink()
        self.ports = Ports()
        self._make_certificates()

    def url(self, kind: str, protocol: str) -> str:
        return f"{'http' if kind in {'plain', 'token'} else 'https'}://127.0.0.1:{self.ports[f'{kind} {protocol}']}"

    def start(self) -> Process:
        config = self.folder / "collector.yaml"
        config.write_text(yaml.safe_dump(self._configuration()))
        program = build(["collector"])["collector"] / "otelcol"
        process = Process([str(program), f"--config={config}"], {}, self.folder / "collector.log")
        deadline = time.monotonic() + 60
        while not answers_ok(f"http://127.0.0.1:{self.ports['health']}"):
            assert process.exit_status is None, process.last_lines()
            assert time.monotonic() < deadline, process.last_lines()
            time.sleep(0.05)
        return process

    def _make_certificates(self) -> None:
        authority, stranger = trustme.CA(), trustme.CA()
        authority.cert_pem.write_to_path(self.folder / "ca.pem")
        owners = {"server": (authority, "127.0.0.1"), "client": (authority, "a@b.c"), "stranger": (stranger, "a@b.c")}
        for name, (issuer, subject) in owners.items():
            certificate = issuer.issue_cert(subject)
            certificate.cert_chain_pems[0].write_to_path(self.folder / f"{name}.pem")
            certificate.private_key_pem.write_to_path(self.folder / f"{name}.key")

    def _configuration(self) -> dict[str, object]:
        tls = {"cert_file": str(self.folder / "server.pem"), "key_file": str(self.folder / "server.key")}
        settings: dict[str, dict[str, object]] = {
            "plain": {},
            "tls": {"tls": tls},
            "mtls": {"tls": {**tls, "client_ca_file": str(self.folder / "ca.pem")}},
            "token": {"auth": {"authenticator": "bearertokenauth"}},
        }
        receivers = {
            f"otlp/{kind}": {
                "protocols": {
                    name: {"endpoint": f"127.0.0.1:{self.ports[f'{kind} {protocol}']}", **settings[kind]}
                    for name, protocol in (("http", "http/protobuf"), ("grpc", "grpc"))
                }
            }
            for kind in KINDS
        }
        pipeline = {"receivers": list(receivers), "exporters": ["otlp_http"]}
        return {
            "receivers": receivers,
            "exporters": {"otlp_http": {"endpoint": self.sink.url, "sending_queue": {"enabled": False}}},
            "extensions": {
                "health_check": {"endpoint": f"127.0.0.1:{self.ports['health']}"},
                "bearertokenauth": {"token": TOKEN},
            },
            "service": {
                "extensions": ["health_check", "bearertokenauth"],
                "telemetry": {"metrics": {"level": "none"}},
                "pipelines": dict.fromkeys(("logs", "metrics", "traces"), pipeline),
            },
        }


@pytest.fixture(scope="module")
def collector(tmp_path_factory) -> Iterator[Collector]:
    made = Collector(tmp_path_factory.mktemp("collector"))
    with made.sink:
        process = made.start()
        yield made
        process.wait(0)
        made.ports.close()


@pytest.fixture(params=PROTOCOLS)
def place(request, collector, tmp_path) -> Iterator[Place]:
    collector.sink.requests.clear()
    found = Place(tmp_path / "journals", variables={"OTEL_EXPORTER_OTLP_PROTOCOL": request.param})
    yield found
    found.end_shippers()


def send_to(place: Place, collector: Collector, kind: str, **variables: str) -> tuple[int, int]:
    """Run a job, and return how many of its records are delivered and pending; none is dropped."""
    place.endpoint = collector.url(kind, place.variables["OTEL_EXPORTER_OTLP_PROTOCOL"])
    settings = {"SYNAPSE_OTEL_EXIT_TIMEOUT": "10", **variables}
    place.variables |= {f"OTEL_EXPORTER_OTLP_{k}" if not k.startswith("S") else k: v for k, v in settings.items()}
    ended = place.run("normal", len(MESSAGES))
    assert ended.code == 0
    said = re.search(r"delivered (\d+) · pending (\d+) · dropped 0", ended.err)
    assert said, ended.err
    return int(said[1]), int(said[2])


def arrived(collector: Collector, delivered: int) -> None:
    """Check that the records are behind the Collector, each once."""
    sink = collector.sink
    assert [body(record) for record in sink.logs()][1:-1] == MESSAGES
    assert len(sink.points("synapse.job.metric")) == 1
    assert len(sink.spans()) == 1
    assert delivered > len(MESSAGES) + 3


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_plain(place, collector, compression):
    delivered, pending = send_to(place, collector, "plain", COMPRESSION=compression)
    assert pending == 0
    arrived(collector, delivered)


def test_tls_with_an_authority_of_our_own(place, collector):
    certificate = str(collector.folder / "ca.pem")
    delivered, pending = send_to(place, collector, "tls", CERTIFICATE=certificate, COMPRESSION="gzip")
    assert pending == 0
    arrived(collector, delivered)


def mutual(collector: Collector, name: str) -> dict[str, str]:
    return {
        "CERTIFICATE": str(collector.folder / "ca.pem"),
        "CLIENT_CERTIFICATE": str(collector.folder / f"{name}.pem"),
        "CLIENT_KEY": str(collector.folder / f"{name}.key"),
    }


def test_mutual_tls(place, collector):
    delivered, pending = send_to(place, collector, "mtls", **mutual(collector, "client"))
    assert pending == 0
    arrived(collector, delivered)


def test_a_token_in_the_headers(place, collector):
    delivered, pending = send_to(place, collector, "token", HEADERS=f"Authorization=Bearer%20{TOKEN}")
    assert pending == 0
    arrived(collector, delivered)


@pytest.mark.parametrize("kind", ["a strange certificate", "no certificate", "a wrong token", "an unknown authority"])
def test_what_the_collector_refuses_is_all_pending_and_says_why(place, collector, kind):
    receiver, variables = {
        "a strange certificate": ("mtls", mutual(collector, "stranger")),
        "no certificate": ("mtls", {"CERTIFICATE": str(collector.folder / "ca.pem")}),
        "a wrong token": ("token", {"HEADERS": "Authorization=Bearer%20wrong"}),
        "an unknown authority": ("tls", {"CERTIFICATE": str(collector.folder / "stranger.pem")}),
    }[kind]
    delivered, pending = send_to(place, collector, receiver, **variables)
    assert delivered == 0
    assert pending > len(MESSAGES) + 3
    assert collector.sink.requests == []
    [folder] = place.folders()
    cursor = read_cursor(folder, Signal.LOGS)
    assert cursor.failure
    assert (cursor.delivered, cursor.dropped, cursor.complete) == (0, {}, False)
    if kind == "a wrong token":
        assert "401" in cursor.failure or "UNAUTHENTICATED" in cursor.failure
