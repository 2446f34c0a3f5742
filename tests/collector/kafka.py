"""The tiers with a real Kafka between them, and what is asked of it."""

from __future__ import annotations

import itertools
import os
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from tests.docs.examples import TREE, blocks_of
from tests.eventually import eventually
from tests.sink import Sink, body
from tests.stack import otlp
from tools.pull_plug.tiers import PARTITIONS, Between, kafka_configs, running_broker
from tools.stack.build import build
from tools.stack.errors import ToolMissingError
from tools.stack.kafka.jars import find_maven
from tools.stack.kafka.wire import committed_offsets, end_offsets
from tools.stack.stack import Stack

PAGE = TREE / "docs" / "kafka.md"
USER, PASSWORD = "tiers", "0815"


@contextmanager
def broker_with_tls(folder: Path) -> Iterator[Stack]:
    """Run a broker that also listens with TLS and SASL; the test is left out where there is no Java, but not in CI."""
    try:
        find_maven()
    except ToolMissingError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
    make_secure(folder / "kafka" / "secure")
    with running_broker(folder) as broker:
        yield broker


def make_secure(folder: Path) -> None:
    """Write what tools.stack.kafka.broker looks for, and an authority that has signed nothing."""
    folder.mkdir(parents=True)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    trustme.CA().cert_pem.write_to_path(str(folder / "stranger.pem"))
    certificate = authority.issue_cert("127.0.0.1")
    key = load_pem_private_key(certificate.private_key_pem.bytes(), None)
    chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    own = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + chain
    (folder / "server.pem").write_bytes(own)
    (folder / "users").write_text(f"{USER} {PASSWORD}\n", encoding="utf-8")
    for mechanism in ("SCRAM-SHA-512", "PLAIN"):
        for name, password in {mechanism: PASSWORD, f"wrong-{mechanism}": "guessed"}.items():
            text = f'mechanism: {mechanism}\nusername: {USER}\npassword: "{password}"\n'
            (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


@contextmanager
def tiers_to_sink(
    folder: Path, between: Between, sink: Sink, settings: Mapping[str, str] | None = None, *, parts: tuple[str, ...]
) -> Iterator[Stack]:
    """Run some of the tiers, the gateway before a sink for logs and metrics; `settings` are variables."""
    environment = {
        **between.environment,
        "COLLECTOR_LOGS_ENDPOINT": sink.url,
        "COLLECTOR_METRICS_ENDPOINT": sink.url,
        **(settings or {}),
    }
    with Stack(parts, directory=folder, environment=environment, configs=kafka_configs()) as stack:
        yield stack


def ends(between: Between, signal: str = "logs") -> list[int]:
    """Return how many messages each partition of a signal's topic has had."""
    return end_offsets(between.broker.kafka_port, between.topics[signal], PARTITIONS)


def committed(between: Between, signal: str = "logs") -> list[int]:
    """Return how many of them the gateways have committed, by partition."""
    found = committed_offsets(between.broker.kafka_port, between.prefix, between.topics[signal], PARTITIONS)
    return [max(offset, 0) for offset in found]


def page_block(text: str) -> str:
    """Return the shell block of docs/kafka.md that has a text in it."""
    [found] = [part.text for part in blocks_of(PAGE.read_text(encoding="utf-8")) if text in part.text]
    return found


def run_shell(script: str, folder: Path, variables: Mapping[str, str]) -> str:
    """Run a shell script with Kafka's commands on PATH; return what it prints, AssertionError where it fails."""
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, **variables, "PATH": commands()},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def commands() -> str:
    """Return a PATH that begins with Kafka's commands and the Collector."""
    built = build(["kafka", "collector"])
    return os.pathsep.join([*map(str, built.values()), os.environ["PATH"]])


class Sender:
    """Sends records of many jobs to an agent, one a request, and knows what was accepted."""

    def __init__(self, url: str, services: int = 40, length: int = 0) -> None:
        """Send to this base URL of OTLP over HTTP, for so many services in turn, texts of at least a length."""
        self._url = url
        self._length = length
        self._services = itertools.cycle([otlp.new_service() for _ in range(services)])
        self.texts: set[str] = set()

    def some(self, count: int) -> None:
        """Send this many."""
        for _ in range(count):
            text = f"record {len(self.texts)}".ljust(self._length, ".")
            otlp.send(self._url, otlp.logs(next(self._services), [otlp.record(time.time_ns(), text)]))
            self.texts.add(text)

    def until(self, true: Callable[[], bool], within: float) -> None:
        """Send until `true()` is."""

        def tried() -> bool:
            self.some(20)
            return true()

        eventually(tried, within=within, every=0.1)


def arrived(sink: Sink) -> Counter[str]:
    """Return how often each text arrived."""
    return Counter(body(record) for record in sink.logs())
