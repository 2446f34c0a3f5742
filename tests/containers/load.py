"""Jobs outside the containers, under way while something happens to these, and what has arrived of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from synapse_otel.semconv import JOB_ID
from tools.containers.project import Project
from tools.pull_plug.job import EVENT, NUMBER, SAMPLE
from tools.pull_plug.trial import SPANS, running_job, stored_logs
from tools.stack.polling import eventually
from tools.stack.query import equal_fields, jaeger_search, log_records, prometheus_series

RATE = 500
PATIENCE = 120
"""Seconds: retries back off to 30 s in both tiers and in the job's shipper."""


@dataclass
class Load:
    """A job that records until it is told to end."""

    process: subprocess.Popen[str]
    job_id: str
    begun: float = field(default_factory=time.time)

    def finish(self) -> dict[str, int]:
        """End the job, and return how many log records and samples it made."""
        out, errors = self.process.communicate("end\n", timeout=60)
        assert self.process.returncode == 0, errors
        made: dict[str, int] = json.loads(out.splitlines()[-1])
        return made


@contextmanager
def load(project: Project, journals: Path, rate: int = RATE) -> Iterator[Load]:
    job_id = f"load-{uuid.uuid4().hex}"
    with running_job(job_id, rate, endpoint=project.url("otlp_http"), journals=journals) as process:
        yield Load(process, job_id)


def is_delivered(journals: Path, work: Load) -> bool:
    """Whether the tiers have accepted every record of a job, so that its journal holds none."""
    command = [str(Path(sys.executable).parent / "synapse-otel"), "jobs", "--json"]
    environment = {**os.environ, "SYNAPSE_OTEL_JOURNAL_DIR": str(journals)}
    ended = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    runs = json.loads(ended.stdout)
    [found] = [run for run in runs if work.job_id in {job["job_id"] for job in run["jobs"]}]
    return bool(found["pending"] == 0)


def lost(project: Project, work: Load, made: dict[str, int]) -> dict[str, int]:
    """Return how many of a job's records have not arrived yet: none of a kind, none of its key."""
    missing = {
        "log records": made["records"] - stored_logs(project.url("victorialogs"), work.job_id).numbers,
        "samples": made["samples"] - len(samples(project, work)),
        "spans": len(SPANS - span_names(project, work)),
    }
    return {kind: count for kind, count in missing.items() if count}


def arrives(project: Project, work: Load, made: dict[str, int]) -> None:
    """Wait until every record of a job has arrived at its destination."""

    def nothing_is_missing() -> bool:
        try:
            missing = lost(project, work, made)
        except OSError as error:  # the engine takes connections for a container that is not back yet, and resets them
            raise AssertionError(f"a backend does not answer yet: {error}") from error
        assert missing == {}, f"of {made} these have not arrived: {missing}"
        return True

    eventually(nothing_is_missing, timeout=PATIENCE, every=0.5)


def samples(project: Project, work: Load) -> set[float]:
    selector = f'synapse_job_metric{{synapse_job_id="{work.job_id}",synapse_metric_name="{SAMPLE}"}}'
    found = prometheus_series(project.url("prometheus"), selector, work.begun - 60, time.time() + 60)
    return {sample.value for series in found for sample in series.samples}


def span_names(project: Project, work: Load) -> set[str]:
    traces = jaeger_search(project.url("jaeger"), "plug", tags={JOB_ID: work.job_id})
    return {span.name for spans in traces.values() for span in spans}


def times_of_missing_records(project: Project, work: Load, made: dict[str, int]) -> list[float]:
    """Return when each log record was made that the log store lacks, by the rate at which they are made."""
    query = equal_fields({JOB_ID: work.job_id, "event_name": EVENT})
    records = log_records(project.url("victorialogs"), query, work.begun - 60, time.time() + 60)
    missing = set(range(made["records"])) - {int(record.fields[NUMBER]) for record in records}
    return [work.begun + number / RATE for number in sorted(missing)]
