"""The configuration of one broker that is its own controller (KRaft), and the shell command that starts it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

from tools.stack.ports import LOOPBACK, Ports

SECURE: Final = "secure"
"""Folder beside the broker's data: with `server.pem` (key and certificates), `ca.pem` and `users` (a name and a
password a line), the broker also listens on the port `kafka_secure` with TLS and SASL."""

_CLUSTER: Final = "c3luYXBzZS1vdGVsLXN0YQ"
HEAP: Final = "-Xms256m -Xmx512m"

_PROPERTIES: Final = """\
node.id=1
process.roles=broker,controller
controller.quorum.voters=1@{host}:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{host}:{plain},CONTROLLER://{host}:{controller}{secure}
advertised.listeners=PLAINTEXT://{host}:{plain}{secure}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
"""
_SECURE_PROPERTIES: Final = """\
ssl.keystore.type=PEM
ssl.keystore.location={folder}/server.pem
ssl.truststore.type=PEM
ssl.truststore.location={folder}/ca.pem
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
listener.name.secure.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.secure.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required {users};
"""


def lay_out_broker(folder: Path, ports: Ports) -> tuple[Path, list[str]]:
    """Write the broker's properties into `folder`; return their path, and what its storage is formatted with."""
    secure = folder / SECURE
    users = _users(secure)
    extra = f",SECURE://{LOOPBACK}:{ports['kafka_secure']}" if users else ""
    text = _PROPERTIES.format(
        host=LOOPBACK, plain=ports["kafka"], controller=ports["kafka_controller"], secure=extra, data=folder / "data"
    )
    if users:
        listed = " ".join(f'user_{name}="{password}"' for name, password in users.items())
        text += _SECURE_PROPERTIES.format(folder=secure, users=listed)
    path = folder / "server.properties"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path, [f"SCRAM-SHA-512=[name={name},password={password}]" for name, password in users.items()]


def _users(secure: Path) -> dict[str, str]:
    if not secure.is_dir():
        return {}
    lines = (secure / "users").read_text(encoding="utf-8").splitlines()
    return dict(line.split(maxsplit=1) for line in lines)


def start_command(binaries: Path, folder: Path, ports: Ports) -> tuple[str, ...]:
    """Return a shell command that formats the storage where that has not been done, and becomes the broker."""
    properties, scram = lay_out_broker(folder, ports)
    options = [option for user in scram for option in ("--add-scram", user)]
    storage = [str(binaries / "kafka-storage.sh"), "format", "-t", _CLUSTER, "-c", str(properties), *options]
    broker = [str(binaries / "kafka-server-start.sh"), str(properties)]
    formatted = shlex.quote(str(folder / "data" / "meta.properties"))
    return (
        "sh",
        "-ec",
        f"[ -e {formatted} ] || {shlex.join(storage)}; KAFKA_HEAP_OPTS='{HEAP}' exec {shlex.join(broker)}",
    )
