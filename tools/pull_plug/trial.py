"""One trial: jobs under load, a fault, and what became of their records."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from synapse_otel.semconv import JOB_ID, LOG_RECORD_UID
from tools.pull_plug.backend import Arrived, Backend
from tools.pull_plug.job import EVENT, NUMBER
from tools.stack.fetch import get_json
from tools.stack.query import equal_fields
from tools.stack.stack import Stack

_POLL_SECONDS: Final = 0.05
_QUERY_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the jobs' records."""

    fault: str
    made: int
    """Log records, samples and spans."""
    lost: int
    repeated: int
    """Arrivals of log records beyond the first, each under the uid of the first."""
    seconds: float
    """The whole trial."""
    recovery_seconds: float
    """From the end of the fault, or of the job if that was later, until all had arrived."""
    wrong: list[str]
    """What must not be, in words."""


@dataclass
class Tiers:
    """The agent and the gateway, and the log store and the backends behind them."""

    stack: Stack
    backend: Backend
    folder: Path
    """For the jobs' journals."""
    queues: Path
    """Where the tiers' queues are: a file system of its own where one can be mounted."""
    broker: Stack | None = None
    """Of the Kafka between the tiers."""

    def backends_go(self) -> None:
        """Have all backends go away, the log store by SIGTERM: a kill would lose what it has answered 200 for."""
        self.stack.kill("victorialogs", signal.SIGTERM)
        self.backend.close()

    def backends_return(self) -> None:
        """Have them come back, with what they had."""
        self.backend.open()
        self.stack.restart("victorialogs")

    def check(self) -> None:
        """Raise StartError if a part has ended that nobody killed here."""
        for stack in filter(None, (self.stack, self.broker)):
            stack.check()

    @property
    def kafka(self) -> Stack:
        """The broker between the tiers; ValueError where there is none."""
        if self.broker is None:
            raise ValueError("no broker runs between these tiers")
        return self.broker

    def kill(self, *parts: str) -> None:
        """Kill parts at once, then wait for each."""
        for part in parts:
            os.kill(self.stack.pid(part), signal.SIGKILL)
        for part in parts:
            self.stack.kill(part)

    def start_and_kill(self, *parts: str, after_seconds: float) -> None:
        """Start parts at once, and kill them a moment later, ready or not."""
        for part in parts:
            self.stack.launch(part)
        time.sleep(after_seconds)
        self.kill(*parts)

    def start(self, *parts: str) -> None:
        """Start parts, one after the other."""
        for part in parts:
            self.stack.restart(part)


def trial(
    name: str,
    tiers: Tiers,
    fault: Callable[[Tiers, float], None],
    *,
    seconds: float,
    rate: int,
    pythons: Sequence[str] = (sys.executable,),
) -> Outcome:
    """Run jobs, have something happen to the tiers meanwhile, and wait until all has arrived.

    Args:
        name: of the fault, and of the jobs.
        tiers: running; they run again at the end.
        fault: takes the tiers and how many seconds it should last.
        seconds: of the fault; the jobs go on for a moment before and behind it.
        rate: log records a second, of each job.
        pythons: what runs a job each, all in one folder of journals: the interpreters of environments, which may have
            other releases of this package.

    """
    begin = time.monotonic()
    job_ids = [f"{name.replace(' ', '-')}-{time.time_ns():x}-{number}" for number in range(len(pythons))]
    with ExitStack() as running:
        jobs = [
            running.enter_context(
                running_job(job_id, rate, endpoint=tiers.stack.otlp_http, journals=tiers.folder, python=python)
            )
            for job_id, python in zip(job_ids, pythons, strict=True)
        ]
        time.sleep(1)
        fault(tiers, seconds)
        time.sleep(1)
        made = {job_id: _end(job) for job_id, job in zip(job_ids, jobs, strict=True)}
    over = time.monotonic()
    while time.monotonic() - over < _patience(seconds) and not all(_complete(tiers, *job) for job in made.items()):
        tiers.check()
        time.sleep(_POLL_SECONDS)
    now = time.monotonic()
    return _outcome(name, tiers, made, seconds=now - begin, recovery=now - over)


def _end(job: subprocess.Popen[str]) -> dict[str, int]:
    out, err = job.communicate("end\n", timeout=60)
    if job.returncode:
        raise RuntimeError(f"the job failed:\n{err[-3000:]}")
    made: dict[str, int] = json.loads(out.splitlines()[-1])
    return made


def _patience(seconds: float) -> float:
    """Return how long to wait: retries back off to 30 s in both tiers and in the job's shipper."""
    return 120 + seconds


@contextmanager
def running_job(
    job_id: str, rate: int, *, endpoint: str, journals: Path, python: str = sys.executable
) -> Iterator[subprocess.Popen[str]]:
    """Run `tools.pull_plug.job`, which ends when its standard input does; yield it when it has begun."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "SYNAPSE_"))}
    environment = {
        **kept,
        "SYNAPSE_OTEL_JOURNAL_DIR": str(journals),
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
    }
    job = subprocess.Popen(
        [python, "-m", "tools.pull_plug.job", job_id, str(rate)],
        env=environment,
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        if job.stdout is None or job.stdout.readline() != "begun\n":
            raise RuntimeError(f"the job did not begin:\n{job.communicate()[1][-3000:]}")
        yield job
    finally:
        job.kill()
        job.wait()


def _complete(tiers: Tiers, job_id: str, made: dict[str, int]) -> bool:
    with tiers.backend.lock:
        found = tiers.backend.jobs[job_id]
        counts = (len(found.samples), len(SPANS & found.span_names.keys()))
    return (
        counts == (made["samples"], len(SPANS))
        and stored_logs(tiers.stack.victorialogs, job_id).numbers == made["records"]
    )


@dataclass(frozen=True, slots=True)
class Stored:
    """How many log records of a job the log store has, how many numbers and uids they have."""

    records: int
    numbers: int
    uids: int


def stored_logs(victorialogs: str, job_id: str) -> Stored:
    """Count what the log store at this address has of a job."""
    which = equal_fields({JOB_ID: job_id, "event_name": EVENT})
    counts = f'count() records, count_uniq("{NUMBER}") numbers, count_uniq("{LOG_RECORD_UID}") uids'
    address = f"{victorialogs}/select/logsql/query"
    found = get_json(address, [("query", f"{which} | stats {counts}")], timeout=_QUERY_SECONDS)
    return Stored(**{name: int(count) for name, count in found.items()})


SPANS: Final = {"train plug", "train"}
"""Of the job and its step, each with a marker besides."""


def _outcome(name: str, tiers: Tiers, jobs: dict[str, dict[str, int]], *, seconds: float, recovery: float) -> Outcome:
    parts = [_part(tiers, job_id, made) for job_id, made in jobs.items()]
    return Outcome(
        fault=name,
        made=sum(part.made for part in parts),
        lost=sum(part.lost for part in parts),
        repeated=sum(part.repeated for part in parts),
        seconds=seconds,
        recovery_seconds=recovery,
        wrong=[one for part in parts for one in part.wrong],
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """What became of the records of one of the jobs: as in Outcome."""

    made: int
    lost: int
    repeated: int
    wrong: list[str]


def _part(tiers: Tiers, job_id: str, made: dict[str, int]) -> _Part:
    with tiers.backend.lock:
        found = tiers.backend.jobs.pop(job_id, Arrived())
    stored = stored_logs(tiers.stack.victorialogs, job_id)
    missing = made["records"] - stored.numbers, made["samples"] - len(found.samples)
    spans = len(SPANS - found.span_names.keys())
    wrong = [f"{sum(missing) + spans} lost: {missing[0]} log records, {missing[1]} samples, {spans} spans"]
    wrong = wrong if sum(missing) + spans else []
    if torn := stored.uids - stored.numbers:
        wrong.append(f"{torn} log records came under more than one uid")
    if torn := sum(len(contents) > 1 for contents in found.spans.values()):
        wrong.append(f"{torn} span ids came with more than one content")
    return _Part(
        made=made["records"] + made["samples"] + len(SPANS),
        lost=sum(missing) + spans,
        repeated=stored.records - stored.uids,
        wrong=wrong,
    )
