"""The real tiers before a real log store and what counts the rest; their queues on a small disk, if one can be had."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.pull_plug.backend import Backend
from tools.pull_plug.trial import Tiers
from tools.stack.kafka.wire import create_topics
from tools.stack.ports import LOOPBACK
from tools.stack.servers import CONFIGURATION
from tools.stack.stack import Stack

PARTITIONS: Final = 6
MAX_MESSAGE_BYTES: Final = 5_000_000
"""Of the topics; docs/kafka.md says so."""
BROKER_MEBIBYTES: Final = 256


@dataclass(frozen=True, slots=True)
class Between:
    """A broker between the tiers, and the beginning of the names of these tiers' topics and group."""

    broker: Stack
    prefix: str

    @property
    def topics(self) -> dict[str, str]:
        """By signal."""
        return {signal: f"{self.prefix}_{signal}" for signal in ("logs", "metrics", "traces")}

    @property
    def environment(self) -> dict[str, str]:
        """What the files in collector/kafka/ read."""
        topics = {f"COLLECTOR_KAFKA_{signal.upper()}_TOPIC": topic for signal, topic in self.topics.items()}
        return {
            **topics,
            "COLLECTOR_KAFKA_BROKERS": f"{LOOPBACK}:{self.broker.kafka_port}",
            "COLLECTOR_KAFKA_GROUP": self.prefix,
            "COLLECTOR_KAFKA_SESSION_TIMEOUT": "6s",
        }

    def create_topics(self, partitions: int = PARTITIONS, max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        """Create a topic for each signal."""
        configs = {"max.message.bytes": str(max_message_bytes)}
        create_topics(self.broker.kafka_port, list(self.topics.values()), partitions, configs)


@contextmanager
def running_broker(folder: Path) -> Iterator[Stack]:
    """Run a broker whose data is on a small disk, where one can be had."""
    with small_disk(folder / "kafka" / "data", BROKER_MEBIBYTES), Stack(("kafka",), directory=folder) as broker:
        yield broker


def kafka_configs() -> dict[str, tuple[str, ...]]:
    """Return by tier the file that puts Kafka before or behind it."""
    return {tier: (str(CONFIGURATION / "kafka" / f"{tier}.yaml"),) for tier in ("agent", "gateway")}


@contextmanager
def running_tiers(
    folder: Path,
    queues: Path,
    *,
    queue_bytes: int,
    keep: str = "disk",
    between: Between | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Tiers]:
    """Run agent and gateway, what they write in `folder`, their queues, each of this size, in `queues`.

    `keep` is where both keep what they took: on the `disk`, or nowhere, `through`. With a broker between them the
    agent keeps nothing.
    """
    with Backend() as backend:
        environments = {
            "agent": {"COLLECTOR_STORAGE_PATH": str(queues / "agent")},
            "gateway": {
                "COLLECTOR_STORAGE_PATH": str(queues / "gateway"),
                "COLLECTOR_METRICS_ENDPOINT": backend.url,
                "COLLECTOR_TRACES_ENDPOINT": backend.address,
            },
        }
        queue = {
            "COLLECTOR_QUEUE_BYTES": str(queue_bytes),
            "COLLECTOR_AGENT_QUEUE": keep,
            "COLLECTOR_GATEWAY_QUEUE": keep,
            **(between.environment if between else {}),
            **(settings or {}),
        }
        with Stack(
            ("victorialogs", "gateway", "agent"),
            directory=folder,
            environment=queue,
            environments=environments,
            configs=kafka_configs() if between else {},
        ) as stack:
            yield Tiers(stack, backend, folder / "journals", queues, between.broker if between else None)


@contextmanager
def small_disk(folder: Path, mebibytes: int) -> Iterator[bool]:
    """Mount an empty file system of this size at `folder`, which is made; yield whether that was possible.

    It takes root. Without, the folder is one like any other.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=0700", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:  # no `mount` on this machine
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
