"""The tiers with a real Kafka between them, and what is asked of it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from tests.sink import Sink
from tools.pull_plug.tiers import PARTITIONS, Between, kafka_configs, running_broker
from tools.stack.build import build
from tools.stack.errors import ToolMissingError
from tools.stack.kafka.jars import find_maven
from tools.stack.kafka.wire import committed_offsets, end_offsets
from tools.stack.stack import Stack

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
    """Run some of the tiers, the gateway before a sink for logs and metrics."""
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


def shell(script: str, folder: Path, variables: Mapping[str, str]) -> str:
    """Run a shell script with Kafka's commands on PATH; return what it prints, AssertionError where it fails."""
    path = os.pathsep.join((str(build(["kafka"])["kafka"]), os.environ["PATH"]))
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, **variables, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout
