"""Processes that are measured: jobs with their own journal folder, the shipper's, what they use."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any, Self

from benchmarks.unmeasured import Unmeasured
from synapse_otel.journal.files.locks import holder

TREE = Path(__file__).parents[1]


class Place:
    """A folder of journals, and where what is in it goes."""

    def __init__(self, root: Path, endpoint: str, **settings: str) -> None:
        self.root = root
        self.endpoint = endpoint
        self.settings = settings
        self._shipper: subprocess.Popen[bytes] | None = None

    def environment(self) -> dict[str, str]:
        """Return the environment of a job: nothing of the user's settings, and the place's own."""
        found = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "SYNAPSE_"))}
        return {
            **found,
            "SYNAPSE_OTEL_JOURNAL_DIR": str(self.root),
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.endpoint,
            **self.settings,
        }

    def start(self, name: str, **arguments: Any) -> subprocess.Popen[str]:
        """Start a job of `benchmarks.jobs`; it prints one line of JSON."""
        return subprocess.Popen(
            [sys.executable, "-m", "benchmarks.jobs", name, json.dumps(arguments)],
            env=self.environment(),
            cwd=TREE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Run a job to its end and return what it found."""
        process = self.start(name, **arguments)
        return result(process, name)

    def start_shipper(self, *, times_faster: float = 1.0) -> int:
        """Start the shipper's process before a job does, on a clock that may go faster, and return its process id."""
        configuration = self.run("configuration")["configuration"]
        environment = {**self.environment(), "SYNAPSE_OTEL_SHIPPER_ORDERS": configuration, "MALLOC_ARENA_MAX": "2"}
        program = f"""if True:
            from benchmarks.clock import hasten
            hasten({times_faster})
            from synapse_otel.shipper.process import main
            main()
        """
        self._shipper = subprocess.Popen(
            [sys.executable, "-c", program], env=environment, cwd=TREE, stdout=subprocess.DEVNULL
        )
        return self.wait_for_shipper()

    def shipper(self) -> int | None:
        """Return the process id of the shipper whose lock stands in this root, None if there is none."""
        return next(filter(None, map(holder, self.root.glob("shipper-*.lock"))), None)

    def wait_for_shipper(self, within_seconds: float = 10.0) -> int:
        """Wait until a shipper runs, and return its process id."""
        until = time.monotonic() + within_seconds
        while (found := self.shipper()) is None:
            if time.monotonic() > until:
                raise Unmeasured(f"no shipper within {within_seconds:g} s")
            time.sleep(0.01)
        return found

    def end_shipper(self) -> None:
        """End the shipper, which would wait for further jobs, or for a far side that is gone for good."""
        found = self.shipper()
        if found is not None:
            with suppress(ProcessLookupError):
                os.kill(found, signal.SIGKILL)
            while self.shipper() == found:
                time.sleep(0.01)
        if self._shipper is not None:
            self._shipper.kill()
            self._shipper.wait()


@contextmanager
def place(endpoint: str, **settings: str) -> Iterator[Place]:
    """Make a place in a temporary folder; its shipper ends with it."""
    with tempfile.TemporaryDirectory(prefix="synapse-otel-bench-", ignore_cleanup_errors=True) as folder:
        made = Place(Path(folder), endpoint, **settings)
        try:
            yield made
        finally:
            made.end_shipper()


def until_ready(job: subprocess.Popen[str]) -> None:
    """Wait until a job says that it is so far; it waits for the next call, or the end of its stdin, to go on."""
    if job.stdin is None or job.stdout is None:
        return
    if job.stdout.readline().strip() != "ready":
        raise Unmeasured(f"a job failed:\n{job.communicate()[1][-3000:]}")


def proceed(job: subprocess.Popen[str]) -> None:
    """Have a job that waits go on."""
    if job.stdin is not None:
        job.stdin.write("\n")
        job.stdin.flush()


class Watch:
    """Looks twice a second, until the end of the block, what a process and a folder take at most."""

    def __init__(self, pid: int, root: Path) -> None:
        self.begin = memory_mebibytes(pid)["VmRSS"]
        self.memory = self.begin
        """MiB, resident."""
        self.disk = 0.0
        """MiB."""
        self._pid = pid
        self._root = root
        self._over = Event()
        self._thread = Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.5):
            self.disk = max(self.disk, disk_mebibytes(self._root))
            with suppress(FileNotFoundError):
                self.memory = max(self.memory, memory_mebibytes(self._pid).get("VmRSS", 0.0))


def result(process: subprocess.Popen[str], name: str) -> dict[str, Any]:
    """Wait for a job and return what it found; its last line on stderr is ``said``."""
    out, err = process.communicate()
    if process.returncode:
        raise Unmeasured(f"{name} failed:\n{err[-3000:]}")
    return {**json.loads(out.splitlines()[-1]), "said": (err.strip().splitlines() or [""])[-1]}


def cpu_seconds(pid: int) -> float:
    """Return the processor time that all threads of a process have used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    exact = sum(
        int((thread / "schedstat").read_text(encoding="utf-8").split()[0])
        for thread in Path(f"/proc/{pid}/task").iterdir()
    )
    ticks = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return max(exact / 1e9, ticks)  # threads that have ended stand in the ticks only


def memory_mebibytes(pid: int | str = "self") -> dict[str, float]:
    """Return ``VmRSS``, ``RssAnon`` (what is the process's own, without mapped files) and ``VmHWM`` (the most ever)."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    wanted = ("VmRSS", "RssAnon", "VmHWM")
    lines = (line.split() for line in text.splitlines() if line.startswith(wanted))
    return {name.rstrip(":"): int(size) / 1024 for name, size, _ in lines}


def disk_mebibytes(root: Path) -> float:
    """Return what the journals' segments below a folder take on the disk: what the budget is about."""
    total = 0
    for path in root.glob("*/*.segment*"):
        with suppress(FileNotFoundError):
            total += path.stat().st_blocks * 512
    return total / (1 << 20)
