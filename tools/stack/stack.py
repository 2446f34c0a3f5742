"""The running stack: built if need be, started together, waited for, stopped together."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tools.stack.build import build
from tools.stack.errors import StartError
from tools.stack.fetch import answers_ok
from tools.stack.kafka.wire import serves
from tools.stack.log_page import search_link
from tools.stack.ports import Ports
from tools.stack.process import Process
from tools.stack.servers import BROKER, PROGRAMS, SERVERS, Server, url

PARTS = ("agent", "gateway", "jaeger", "prometheus", "victorialogs")

READY_SECONDS = 90.0
_TIERS = ("gateway", "agent")
"""In the order in which they start."""
STOP_SECONDS = 10.0
_TOO_EARLY = "queue.(*persistentQueue[...]).putInternal("
"""In the panic of a Collector whose receiver serves all signals before the queues of each have started (0.149)."""


class Stack:
    """Real servers on loopback: `with Stack(directory=tmp_path) as stack: ...`.

    Any subset of PARTS runs: the Collectors keep what is meant for an absent part in their queues. Enter it from a
    thread that lives as long as the servers should (the kernel ends them with it): the main one.
    """

    def __init__(
        self,
        parts: Sequence[str] = PARTS,
        *,
        directory: Path,
        ports: Mapping[str, int] | None = None,
        environment: Mapping[str, str] | None = None,
        environments: Mapping[str, Mapping[str, str]] | None = None,
        configs: Mapping[str, Sequence[str]] | None = None,
        programs: Mapping[str, str] | None = None,
        files: Mapping[str, Sequence[Path]] | None = None,
    ) -> None:
        """Prepare, start nothing.

        `directory` receives a folder for each part with its data and log. `ports` are numbers to keep to, by the
        names in ports.KNOWN; all others are free ones. `environment` sets variables that the files in collector/
        read, such as COLLECTOR_LATE_AFTER, for every part; `environments`, by part, for one. `configs`, by part, are
        further values of `--config` for a Collector, and `files` what it reads in the place of its files in collector/.
        `programs`, by part, are the recipes that build its program, where that is another one than usual. Raises
        ValueError for an unknown part.
        """
        named = {*parts, *(environments or {}), *(configs or {}), *(programs or {}), *(files or {})}
        if unknown := named - set(SERVERS):
            raise ValueError(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(SERVERS)}")
        self.parts = tuple(parts)
        self.directory = directory
        self._ports = Ports(dict(ports or {}))
        self._environment = dict(environment or {})
        self._environments = {part: dict(values) for part, values in (environments or {}).items()}
        self._configs = {part: tuple(values) for part, values in (configs or {}).items()}
        self._programs = PROGRAMS | dict(programs or {})
        self._files = dict(files or {})
        self._servers: dict[str, Server] = {}
        self._processes: dict[str, Process] = {}
        self._killed: set[str] = set()

    @property
    def otlp_http(self) -> str:
        """Base URL of the agent's OTLP over HTTP, what OTEL_EXPORTER_OTLP_ENDPOINT takes."""
        return url(self._ports["otlp_http"])

    @property
    def otlp_grpc(self) -> str:
        """URL of the agent's OTLP over gRPC."""
        return url(self._ports["otlp_grpc"])

    @property
    def gateway_otlp_http(self) -> str:
        """Base URL of the gateway's OTLP over HTTP."""
        return url(self._ports["gateway_otlp_http"])

    @property
    def gateway_otlp_grpc(self) -> str:
        """URL of the gateway's OTLP over gRPC."""
        return url(self._ports["gateway_otlp_grpc"])

    @property
    def jaeger(self) -> str:
        """Base URL of Jaeger's query API."""
        return url(self._ports["jaeger"])

    @property
    def prometheus(self) -> str:
        """Base URL of Prometheus."""
        return url(self._ports["prometheus"])

    @property
    def victorialogs(self) -> str:
        """Base URL of VictoriaLogs."""
        return url(self._ports["victorialogs"])

    @property
    def newest_logs(self) -> str:
        """URL of its web page with the newest log records, which renews itself."""
        return search_link(self.victorialogs, "*", refresh="5s")

    @property
    def kafka_port(self) -> int:
        """Port of the broker's listener without TLS."""
        return self._ports["kafka"]

    @property
    def kafka_secure_port(self) -> int:
        """Port of the broker's listener with TLS and SASL, where it has one."""
        return self._ports["kafka_secure"]

    def collector_metrics(self, part: str) -> str:
        """URL of the own metrics of the part `agent` or `gateway`, in Prometheus' text format."""
        return url(self._ports[f"{part}_metrics"]) + "/metrics"

    def __enter__(self) -> Self:
        """Start every part and wait until each is ready."""
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop every part."""
        self.stop()

    def start(self) -> None:
        """Build what is absent, start every part, return when each is ready.

        Raises StartError with the end of the log of a part that ended or took too long, BuildError,
        ToolMissingError and PortTakenError.
        """
        binaries = build(dict.fromkeys(self._programs[part] for part in self.parts))
        for part in self.parts:
            self._prepare(part, binaries)
        # A tier starts when what it sends to is ready: else its first connection fails, and it waits before the next.
        backends = tuple(part for part in self.parts if part not in _TIERS)
        for parts in (backends, *((tier,) for tier in _TIERS if tier in self.parts)):
            for part in parts:
                self._spawn(part)
            for part in parts:
                self._wait_ready(part)

    def stop(self) -> None:
        """End every part and wait for it; what does not end by itself is killed."""
        running = [process for process in self._processes.values() if process.exit_status is None]
        for process in running:
            process.signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        try:
            for process in running:
                process.wait(max(0.0, deadline - time.monotonic()))
        finally:  # a second Ctrl-C: no more patience
            for process in running:
                process.wait(0)
            self._processes.clear()
            self._ports.close()

    def kill(self, part: str, number: signal.Signals = signal.SIGKILL) -> None:
        """End one part by a signal and return when it is gone; its data stays for `restart`."""
        process = self._processes[part]
        self._killed.add(part)
        process.signal(number)
        process.wait(STOP_SECONDS)

    def exchange(self, part: str, program: str, files: Sequence[Path] = ()) -> None:
        """End one part and start it again, on the same ports with the same data, from what another recipe builds.

        `files` are what a Collector reads from then on; without any, what it has read before.
        """
        self._programs[part] = program
        if files:
            self._files[part] = tuple(files)
        self._prepare(part, build([program]))
        self.restart(part)

    def restart(self, part: str) -> None:
        """Start one part again on the same ports with the same data, ending it first if it runs; wait for it.

        A Collector that took a request before it had started is started once more, as every supervisor would.
        """
        self.kill(part, signal.SIGTERM)
        self._killed.discard(part)
        self._spawn(part)
        try:
            self._wait_ready(part)
        except StartError as error:
            if _TOO_EARLY not in str(error):
                raise
            print(f"{part}: took a request before it had started, and is started again", file=sys.stderr, flush=True)
            self._spawn(part)
            self._wait_ready(part)

    def launch(self, part: str) -> None:
        """Start a killed part again and return at once: for a test that kills it while it starts."""
        self._spawn(part)

    def check(self) -> None:
        """Raise StartError if a part has ended that nobody killed here."""
        for part in self._processes:
            if part not in self._killed:
                self._raise_if_ended(part)

    def pid(self, part: str) -> int:
        """Return the process id of a part."""
        return self._processes[part].pid

    def log(self, part: str) -> str:
        """Return what a part has written to its standard output and error."""
        return self._log_path(part).read_text(encoding="utf-8", errors="replace")

    def _log_path(self, part: str) -> Path:
        return self.directory / part / f"{part}.log"

    def _prepare(self, part: str, binaries: Mapping[str, Path]) -> None:
        folder = self.directory / part
        folder.mkdir(parents=True, exist_ok=True)
        server = SERVERS[part](binaries[self._programs[part]], folder, self._ports)
        self._servers[part] = server.with_files(self._files[part]) if part in self._files else server

    def _spawn(self, part: str) -> None:
        server = self._servers[part]
        environment = server.environment | self._environment | self._environments.get(part, {})
        command = (*server.command, *(f"--config={value}" for value in self._configs.get(part, ())))
        self._processes[part] = Process(command, environment, self._log_path(part))

    def _wait_ready(self, part: str) -> None:
        deadline = time.monotonic() + READY_SECONDS
        waiting = list(self._servers[part].ready)
        while waiting:
            self.check()
            if _answers(waiting[0]):
                waiting.pop(0)
            elif time.monotonic() > deadline:
                raise StartError(self._report(part, f"was not ready after {READY_SECONDS:g} s"))
            else:
                time.sleep(0.05)

    def _raise_if_ended(self, part: str) -> None:
        status = self._processes[part].exit_status
        if status is not None:
            ended = f"exit status {status}" if status >= 0 else signal.Signals(-status).name
            raise StartError(self._report(part, f"ended by itself ({ended})"))

    def _report(self, part: str, what: str) -> str:
        process = self._processes[part]
        return f"{part} {what}; the end of its log, {process.log}:\n{process.last_lines()}"


def _answers(address: str) -> bool:
    return serves(int(address.rpartition(":")[2])) if address.startswith(BROKER) else answers_ok(address)
