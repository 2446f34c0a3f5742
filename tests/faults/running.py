"""Running the jobs of `jobs.py` against a sink, and looking at the shipper's process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from synapse_otel.journal.files.locks import holder
from synapse_otel.journal.folder import run_folders
from synapse_otel.otlp.destination import Destination, Endpoint
from synapse_otel.runtime.process import read_salt
from synapse_otel.settings import DEFAULT_ENDPOINT
from synapse_otel.shipper.configuration import ShipperConfiguration
from synapse_otel.shipper.launch import ensure_shipper, is_shipping
from tests.eventually import eventually

JOBS = Path(__file__).with_name("jobs.py")
REPOSITORY = Path(__file__).parents[2]


@dataclass
class Ended:
    """A job that has ended."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def said(self) -> list[str]:
        return [line for line in self.err.splitlines() if line.startswith("synapse-otel: ")]

    def told(self, key: str) -> int:
        return int(next(line.split()[1] for line in self.out.splitlines() if line.startswith(key)))


@dataclass
class Place:
    """A journal folder, and where what is in it goes."""

    root: Path
    endpoint: str = DEFAULT_ENDPOINT
    variables: dict[str, str] = field(default_factory=dict)
    started: list[int] = field(default_factory=list)
    """Process ids of the jobs that were started."""
    processes: list[subprocess.Popen[str]] = field(default_factory=list)
    """Of these, the ones that `start` has started."""

    def environment(self) -> dict[str, str]:
        found = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "SYNAPSE_"))}
        return {
            **found,
            "PYTHONPATH": os.pathsep.join((str(REPOSITORY / "src"), str(REPOSITORY))),
            "SYNAPSE_OTEL_JOURNAL_DIR": str(self.root),
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.endpoint,
            "OTEL_METRIC_EXPORT_INTERVAL": "500",
            **self.variables,
        }

    def start(
        self, name: str, *arguments: Any, output: Path | None = None, program: Path = JOBS, **options: Any
    ) -> subprocess.Popen[str]:
        """Start a job of a program; what it tells goes to a pipe, or to a file."""
        if output is not None:
            with output.open("w") as file:
                return self.start(name, *arguments, program=program, stdout=file, **options)
        options.setdefault("stdout", subprocess.PIPE)
        process = subprocess.Popen(
            [sys.executable, str(program), name, *map(str, arguments)],
            env=self.environment(),
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )
        self.started.append(process.pid)
        self.processes.append(process)
        return process

    def end(self) -> None:
        """End what a test that has failed has left: nothing of it is to fail another."""
        for process in self.processes:
            if process.returncode is None:
                for one in (*psutil.Process(process.pid).children(recursive=True), process):
                    one.kill()  # its children hold its streams too
                process.communicate(timeout=60)
        self.end_shippers()

    def end_shippers(self) -> None:
        """End them for good."""
        for pid in self.shippers():
            os.killpg(os.getpgid(pid), signal.SIGKILL)  # and the shell that would start it again

    def run(self, name: str, *arguments: Any, program: Path = JOBS) -> Ended:
        begin = time.monotonic()
        process = self.start(name, *arguments, program=program)
        out, err = process.communicate(timeout=60)
        return Ended(process.returncode, out, err, time.monotonic() - begin)

    # --- the shipper ----------------------------------------------------------------------------------

    def configuration(self, idle_seconds: float = 30.0) -> ShipperConfiguration:
        """Return the orders that a job's pipeline gives, but for the time after which the shipper leaves."""
        destination = Destination(
            **{name: Endpoint(url=f"{self.endpoint}/v1/{name}") for name in ("logs", "metrics", "traces")}
        )
        return ShipperConfiguration(
            roots=[str(self.root)],
            destination=destination,
            key=destination.key(read_salt(self.root)),
            interval_seconds=0.5,
            idle_seconds=idle_seconds,
        )

    def start_shipper(self, idle_seconds: float = 30.0) -> int:
        """Start the shipper before the first job does, and return its process id."""
        ensure_shipper(self.configuration(idle_seconds))
        return eventually(self.shipper)

    def is_shipping(self) -> bool:
        return is_shipping(self.root, self.configuration().key)

    def shipper(self) -> int | None:
        """Return the process id of a shipper that holds one of this root's locks."""
        holders = (holder(path) for path in self.root.glob("shipper-*.lock"))
        # One that only looks whether there is a shipper holds the lock for some microseconds, too.
        return next((pid for pid in holders if pid is not None and _is_shipper(Path(f"/proc/{pid}"))), None)

    def shippers(self) -> list[int]:
        """Return the shippers that there are, also those that still wait for a lock, or have found it taken."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            held = set(descriptors(process))
            locks = {str(path) for path in self.root.glob("shipper-*.lock")}
            if int(process.name) != os.getpid() and held & locks and _is_shipper(process):
                found.append(int(process.name))
        return found

    def kill_shipper(self) -> None:
        """Kill the shipper for good, and see that it is gone."""
        self.end_shippers()
        eventually(lambda: not self.is_shipping())

    # --- the journals ---------------------------------------------------------------------------------

    def folders(self) -> list[Path]:
        return list(run_folders(self.root))


def descriptors(process: Path) -> list[str]:
    """Return what the descriptors of a process in ``/proc`` lead to; none if it is gone, or somebody else's."""
    found = []
    with suppress(OSError):
        for descriptor in (process / "fd").iterdir():
            with suppress(OSError):  # closed since it was listed
                found.append(os.readlink(descriptor))
    return sorted(found)


def _is_shipper(process: Path) -> bool:
    try:
        return b"shipper.process" in (process / "cmdline").read_bytes()
    except OSError:
        return False


def resident_mebibytes(pid: int) -> float:
    """Return the resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"no process {pid}")


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9
