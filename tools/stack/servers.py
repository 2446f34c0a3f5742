"""How each server is started: its command, the environment its configuration reads, and how it says it is ready."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tools.stack.kafka.broker import start_command
from tools.stack.ports import LOOPBACK, Ports
from tools.stack.targets import lay_out_prometheus

CONFIGURATION = Path(__file__).parents[2] / "collector"
BROKER = "kafka://"
"""Before the address of a broker that is to answer."""


@dataclass(frozen=True, slots=True)
class Server:
    """What starts one server; it is ready when each of `ready` answers: a URL with status 200, a broker at all."""

    command: tuple[str, ...]
    ready: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)

    def with_files(self, files: Sequence[Path]) -> Server:
        """Return a Collector that reads these files in the place of its own."""
        return replace(self, command=(self.command[0], *(f"--config={file}" for file in files)))


def url(port: int) -> str:
    """Return the base URL of a server on loopback."""
    return f"http://{LOOPBACK}:{port}"


def _address(port: int) -> str:
    return f"{LOOPBACK}:{port}"


MEMORY_LIMIT_MIB = "512"
"""Of each Collector: a machine of one's own has no container whose limit they could go by."""


GARBAGE_PERCENT = "300"
"""Of each Collector, Go's `GOGC`: a fifth less processor time a record than Go's own 100, for some more memory."""


def _collector(binaries: Path, folder: Path, ports: Ports, *, tier: str, files: tuple[str, ...]) -> Server:
    """Return one tier of the Collector; its ports but the jobs' well-known ones are named after it."""
    prefix = "" if tier == "agent" else f"{tier}_"
    return Server(
        command=(str(binaries / "otelcol"), *(f"--config={CONFIGURATION / name}" for name in files)),
        environment={
            "COLLECTOR_CONFIG_DIR": str(CONFIGURATION),
            "COLLECTOR_OTLP_GRPC_ENDPOINT": _address(ports[f"{prefix}otlp_grpc"]),
            "COLLECTOR_OTLP_HTTP_ENDPOINT": _address(ports[f"{prefix}otlp_http"]),
            "COLLECTOR_STORAGE_PATH": str(folder / "queue"),
            "COLLECTOR_MEMORY_LIMIT_MIB": MEMORY_LIMIT_MIB,
            "GOGC": GARBAGE_PERCENT,
            "COLLECTOR_HEALTH_ENDPOINT": _address(ports[f"{tier}_health"]),
            "COLLECTOR_METRICS_PORT": str(ports[f"{tier}_metrics"]),
        },
        ready=(url(ports[f"{tier}_health"]),),
    )


def _agent(binaries: Path, folder: Path, ports: Ports) -> Server:
    server = _collector(binaries, folder, ports, tier="agent", files=("agent.yaml",))
    server.environment["COLLECTOR_GATEWAY_ENDPOINT"] = _address(ports["gateway_otlp_grpc"])
    return server


def _gateway(binaries: Path, folder: Path, ports: Ports) -> Server:
    server = _collector(binaries, folder, ports, tier="gateway", files=("gateway.yaml", "routes.yaml"))
    server.environment.update(
        {
            "COLLECTOR_TRACES_ENDPOINT": _address(ports["jaeger_otlp"]),
            "COLLECTOR_METRICS_ENDPOINT": url(ports["prometheus"]) + "/api/v1/otlp",
            "COLLECTOR_LOGS_ENDPOINT": url(ports["victorialogs"]) + "/insert/opentelemetry",
        }
    )
    return server


def _jaeger(binaries: Path, _folder: Path, ports: Ports) -> Server:
    return Server(
        command=(str(binaries / "jaeger"), f"--config={CONFIGURATION / 'jaeger.yaml'}"),
        environment={
            "JAEGER_OTLP_GRPC_ENDPOINT": _address(ports["jaeger_otlp"]),
            "JAEGER_QUERY_HTTP_ENDPOINT": _address(ports["jaeger"]),
            "JAEGER_QUERY_GRPC_ENDPOINT": _address(ports["jaeger_query_grpc"]),
            "JAEGER_HEALTH_ENDPOINT": _address(ports["jaeger_health"]),
        },
        ready=(url(ports["jaeger_health"]) + "/status", url(ports["jaeger"]) + "/api/services"),
    )


def _prometheus(binaries: Path, folder: Path, ports: Ports) -> Server:
    return Server(
        command=(
            str(binaries / "prometheus"),
            f"--config.file={lay_out_prometheus(folder / 'configuration', CONFIGURATION, ports)}",
            f"--storage.tsdb.path={folder / 'data'}",
            "--storage.tsdb.retention.size=8GB",
            f"--web.listen-address={_address(ports['prometheus'])}",
            "--web.enable-otlp-receiver",
            "--enable-feature=exemplar-storage",
        ),
        ready=(url(ports["prometheus"]) + "/-/ready",),
    )


def _victorialogs(binaries: Path, folder: Path, ports: Ports) -> Server:
    """Return the log store; docs/backends.md says what each flag is for."""
    return Server(
        command=(
            str(binaries / "victoria-logs"),
            f"-storageDataPath={folder / 'data'}",
            f"-httpListenAddr={_address(ports['victorialogs'])}",
            "-retentionPeriod=100y",
            "-retention.maxDiskSpaceUsageBytes=8GB",
            "-storage.minFreeDiskSpaceBytes=256MB",
            "-inmemoryDataFlushInterval=1s",
            "-defaultMsgValue=",
        ),
        ready=(url(ports["victorialogs"]) + "/health",),
    )


def _kafka(binaries: Path, folder: Path, ports: Ports) -> Server:
    return Server(
        command=start_command(binaries, folder, ports),
        environment={"KAFKA_OPTS": "-Dlog4j2.level=INFO"},
        ready=(f"{BROKER}{_address(ports['kafka'])}",),
    )


SERVERS: dict[str, Callable[[Path, Path, Ports], Server]] = {
    "agent": _agent,
    "gateway": _gateway,
    "jaeger": _jaeger,
    "prometheus": _prometheus,
    "victorialogs": _victorialogs,
    "kafka": _kafka,
}
"""By part: a function of the folder with its binaries, the folder for its data, and the ports."""

PROGRAMS = {part: part for part in SERVERS} | {"agent": "collector", "gateway": "collector"}
"""By part: the recipe that builds its program."""
