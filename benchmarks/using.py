"""What the shipper pays for sampling what jobs use, on a machine with many processes."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.far_side import far_side
from benchmarks.processes import Place, memory_mebibytes, place, proceed, result, until_ready
from benchmarks.report import Bar, Table
from benchmarks.unmeasured import Unmeasured
from synapse_otel import semconv
from synapse_otel.journal.folder import run_folders
from synapse_otel.journal.usage import read_usage
from synapse_otel.shipper.usage.following import JournalUsage
from synapse_otel.shipper.usage.points import usage_points
from synapse_otel.shipper.usage.sampler import Sampler

JOBS = (1, 20)
OTHERS = 300
"""Processes that have nothing to do with it."""
LOOKS = 100
INTERVAL_SECONDS = 5.0
MOST_SHARE = 0.001
MOST_MEBIBYTES = 40.0
_PAUSE_SECONDS = 0.05
"""Between two looks, so that others have the caches meanwhile, as they would."""
_JOB = {semconv.JOB_ID: "0" * 32, semconv.ACTION: "train", semconv.PLUGIN_NAME: "yolo"}


@dataclass
class Live:
    """A journal whose process runs a job."""

    folder: Path
    usage: JournalUsage | None = None
    ended: bool = False
    runs_job: bool = True

    def follow(self, usage: JournalUsage) -> None:
        """Take up what its process uses."""
        self.usage = usage


def using() -> Table:
    """Return the table of what sampling costs."""
    rows, bars = [], []
    with _others():
        for jobs in JOBS:
            sampled, encoded = _measured(jobs)
            share = (sampled + encoded) / INTERVAL_SECONDS
            what = f"{jobs} job{'s' if jobs > 1 else ''}"
            processes = sum(path.name.isdigit() for path in Path("/proc").iterdir())
            rows += [
                (f"{what}, {processes} processes: a sample, written down", f"{sampled * 1e3:.2f} ms"),
                (f"{what}: its metrics, encoded", f"{encoded * 1e3:.2f} ms"),
                (f"{what}: share of a core, a sample every {INTERVAL_SECONDS:g} s", f"{share:.3%}"),
            ]
            bars.append(
                Bar(f"sampling {what}, share of a core", f"{MOST_SHARE:.1%}", f"{share:.3%}", share <= MOST_SHARE)
            )
        with_it, without = (_resident(seconds) for seconds in ("1", "0"))
    rows += [
        (f"the shipper's memory, {JOBS[-1]} jobs sampled", f"{with_it:.1f} MiB"),
        (f"the shipper's memory, {JOBS[-1]} jobs not sampled", f"{without:.1f} MiB"),
    ]
    told = Bar("memory of a shipper that samples", f"{MOST_MEBIBYTES:.0f} MiB", f"{with_it:.1f} MiB", with_it <= 40)
    note = f"Mean of {LOOKS} samples, CPU time. Each job is one process; the machine has no GPU."
    return Table("usage", "Sampling what jobs use", ("what", "measured"), rows, note, [*bars, told])


@contextmanager
def _others() -> Iterator[None]:
    started = [subprocess.Popen(["/bin/sleep", "3600"]) for _ in range(OTHERS)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


@contextmanager
def _running(here: Place, jobs: int) -> Iterator[list[Path]]:
    with ExitStack() as stack:
        for _ in range(jobs):
            job = here.start("waiting")
            stack.callback(result, job, "waiting")
            stack.callback(proceed, job)
            until_ready(job)
        yield list(run_folders(here.root))


def _measured(jobs: int) -> tuple[float, float]:
    """Return the CPU seconds of one look at all jobs, and of encoding what it found."""
    said: list[str] = []
    with place("http://127.0.0.1:9", SYNAPSE_OTEL_SHIPPER="off") as here, _running(here, jobs) as folders:
        sampler = Sampler(0.0, said.append)
        journals = [Live(folder) for folder in folders]
        for journal in journals:
            sampler.attach(journal)
        sampler.look(journals)
        sampled = encoded = 0.0
        for _ in range(LOOKS):
            time.sleep(_PAUSE_SECONDS)
            begin = time.thread_time()
            sampler.look(journals)
            middle = time.thread_time()
            for journal in journals:
                if journal.usage is None or journal.usage.latest is None or journal.usage.source is None:
                    raise Unmeasured(f"a job could not be sampled: {said}")
                usage_points(journal.usage.source, journal.usage.latest, _JOB)
            encoded += time.thread_time() - middle
            sampled += middle - begin
    return sampled / LOOKS, encoded / LOOKS


def _resident(interval: str) -> float:
    """Return the memory of a shipper with jobs in hand that has sampled, or would have sampled, some times."""
    with (
        far_side() as far,
        place(f"http://127.0.0.1:{far.port}", SYNAPSE_OTEL_USAGE_INTERVAL=interval) as here,
    ):
        pid = here.start_shipper()
        with _running(here, JOBS[-1]) as folders:
            until = time.monotonic() + 60
            while interval != "0" and any(len(read_usage(folder).samples) < 5 for folder in folders):
                if time.monotonic() > until:
                    raise Unmeasured("a job was not sampled within a minute")
                time.sleep(0.2)
            if interval == "0":
                time.sleep(5)
            return memory_mebibytes(pid)["VmRSS"]
