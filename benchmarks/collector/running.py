"""The tiers before a backend that counts, with Kafka between them or without, and what one load costs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.collector.generator import Orders, Sent
from benchmarks.collector.sink import Counts, Sink, sink
from benchmarks.processes import TREE, cpu_seconds, memory_mebibytes
from benchmarks.unmeasured import Unmeasured
from tools.pull_plug.tiers import Between, kafka_configs
from tools.stack.fetch import get_json
from tools.stack.stack import Stack

TIERS = ("agent", "gateway")
KAFKA_PARTITIONS = 12
_PATIENCE_SECONDS = 60.0
_LOOK_SECONDS = 0.05
_SETTLE_SECONDS = 2.0


@dataclass(frozen=True)
class Load:
    """What was sent, and what it cost."""

    sent: Sent
    backlog_seconds: float
    """From the last answer until all log records had arrived."""
    cpu_seconds: dict[str, float]
    """By tier, and of the broker and the log store where there is one."""
    sink_cpu_seconds: float
    peak_mebibytes: dict[str, float]
    """By the same, the most since it was started."""
    others_cores: float
    """Cores that were busy with other work of the machine meanwhile."""
    delays: Sequence[float]
    """Seconds from sending to arrival, of each request for logs; sorted."""

    @property
    def records_a_second(self) -> float:
        """Accepted by the agent."""
        return self.sent.records / self.sent.seconds

    @property
    def requests_a_second(self) -> float:
        """Accepted by the agent."""
        return self.sent.requests / self.sent.seconds

    @property
    def tiers_cpu_seconds(self) -> float:
        """Of both tiers, and of what else `cpu_seconds` has."""
        return sum(self.cpu_seconds.values())

    def delay(self, share: float) -> float:
        """Return the delay that this share of the requests stayed below, NaN if there were none."""
        return self.delays[int(share * (len(self.delays) - 1))] if self.delays else float("nan")


class LogStore:
    """The log store of a stack, asked what it has."""

    def __init__(self, stack: Stack) -> None:
        """Ask this stack's."""
        self._query = f"{stack.victorialogs}/select/logsql/query"

    def counts(self) -> Counts:
        """Return what a query finds; neither requests and bytes nor delays are known."""
        found = get_json(self._query, [("query", "* | stats count() records")], timeout=_PATIENCE_SECONDS)
        return Counts(requests=0, bytes=0, log_records=int(found["records"]), delays=[], cpu_seconds=0.0)


class Running:
    """Both tiers, what is behind them, and what may be between them."""

    def __init__(self, stack: Stack, far: Sink | LogStore, broker: Stack | None = None) -> None:
        """Wait a moment, so that starting is not measured."""
        self._stack = stack
        self._far = far
        self._pids = {part: stack.pid(part) for part in stack.parts} | (
            {"kafka": broker.pid("kafka")} if broker else {}
        )
        time.sleep(_SETTLE_SECONDS)
        self.idle_mebibytes = self._memory("VmRSS")

    def load(self, kind: str, *, jobs: int, seconds: float, connections: int, rate: float = 0.0) -> Load:
        """Put a load on the tiers; return when all of it has arrived.

        Raises:
            Unmeasured: log records are missing at the end.
        """
        port = int(self._stack.otlp_http.rpartition(":")[2])
        with generating(Orders(port, jobs, seconds, connections, kind, rate)) as send:
            before = self._far.counts()
            used = self._used()
            began, busy = time.monotonic(), _busy_seconds()
            sent = send()
        delays = list[float]()
        over = time.monotonic()
        while True:
            found = self._far.counts()
            delays += found.delays
            if (arrived := found.log_records - before.log_records) >= sent.log_records:
                break
            if time.monotonic() - over > _PATIENCE_SECONDS:
                raise Unmeasured(f"{arrived:,} of {sent.log_records:,} log records arrived")
            time.sleep(_LOOK_SECONDS)
        now = time.monotonic()
        cpu = {tier: seconds - used[tier] for tier, seconds in self._used().items()}
        sink_cpu = found.cpu_seconds - before.cpu_seconds
        others = _busy_seconds() - busy - sum(cpu.values()) - sink_cpu - sent.cpu_seconds
        return Load(
            sent,
            backlog_seconds=now - over,
            cpu_seconds=cpu,
            sink_cpu_seconds=sink_cpu,
            peak_mebibytes=self._memory("VmHWM"),
            others_cores=max(0.0, others / (now - began)),
            delays=sorted(delays),
        )

    def _used(self) -> dict[str, float]:
        return {part: cpu_seconds(pid) for part, pid in self._pids.items()}

    def _memory(self, which: str) -> dict[str, float]:
        return {part: memory_mebibytes(pid)[which] for part, pid in self._pids.items()}


@contextmanager
def generating(orders: Orders) -> Iterator[Callable[[], Sent]]:
    """Start the generator; what it yields has it send, and returns what it has sent.

    Raises:
        Unmeasured: it did not start.
    """
    command = [sys.executable, "-m", "benchmarks.collector.generator", json.dumps(asdict(orders))]
    with subprocess.Popen(command, cwd=TREE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as generator:
        if generator.stdout is None or generator.stdout.readline() != "ready\n":
            raise Unmeasured("the generator did not start")
        yield lambda: Sent(**json.loads(generator.communicate("\n")[0]))


def _busy_seconds() -> float:
    """Return the processor time that the whole machine has used, of all kinds but waiting."""
    user, nice, system, _idle, _waiting, *interrupts = Path("/proc/stat").read_text(encoding="utf-8").split()[1:8]
    return sum(map(int, (user, nice, system, *interrupts))) / os.sysconf("SC_CLK_TCK")


def disturbed(loads: Sequence[Load]) -> str:
    """Return a sentence about other work of the machine during the loads."""
    most = max(load.others_cores for load in loads)
    return f"Other work of the machine, the disk's included, took up to {most:.1f} of {os.cpu_count()} cores meanwhile."


@contextmanager
def running(*, kafka: bool = False, log_store: bool = False, **settings: str) -> Iterator[Running]:
    """Start both tiers with further settings, what they keep in a temporary folder on this machine's disk.

    Log records go to a sink that counts, or to a real log store.
    """
    with (
        tempfile.TemporaryDirectory(prefix="synapse-otel-bench-", ignore_cleanup_errors=True) as folder,
        sink() as far,
        _between(Path(folder) / "broker", wanted=kafka) as between,
    ):
        backends = {
            **({} if log_store else {"COLLECTOR_LOGS_ENDPOINT": f"http://127.0.0.1:{far.http}"}),
            "COLLECTOR_METRICS_ENDPOINT": f"http://127.0.0.1:{far.http}",
            "COLLECTOR_TRACES_ENDPOINT": f"127.0.0.1:{far.grpc}",
        }
        with Stack(
            (*TIERS, *(["victorialogs"] if log_store else [])),
            directory=Path(folder),
            environment=settings | (between.environment if between else {}),
            environments={"gateway": backends},
            configs=kafka_configs() if between else {},
        ) as stack:
            yield Running(stack, LogStore(stack) if log_store else far, between.broker if between else None)


@contextmanager
def _between(folder: Path, *, wanted: bool) -> Iterator[Between | None]:
    if not wanted:
        yield None
        return
    with Stack(("kafka",), directory=folder) as broker:
        between = Between(broker, "bench")
        between.create_topics(KAFKA_PARTITIONS)
        yield between
