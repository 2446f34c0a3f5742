"""Jobs in containers of their own, beside the one that delivers: docker-compose.sidecar.yml."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synapse_otel.semconv import JOB_ID
from tools.containers.project import Project
from tools.pull_plug.job import NUMBER
from tools.stack.polling import eventually
from tools.stack.query import LogRecord, equal_fields, log_records

FILE = Path("docker-compose.sidecar.yml")


@dataclass(frozen=True)
class ContainedJob:
    """A container of the service `job`."""

    project: Project
    container: str
    job_id: str

    def printed(self) -> int:
        """Return how many items it has recorded, as it says itself: each number when the call has returned."""
        return len(self.project.engine.docker("logs", self.container).split())

    def records(self, items: int) -> None:
        """Wait until it has recorded so many."""
        eventually(lambda: self.printed() >= items, timeout=60)

    def kill(self) -> None:
        """Kill the container's first process, and all others with it."""
        found = json.loads(self.project.engine.docker("inspect", self.container))
        self.project.engine.kill_process(int(found[0]["State"]["Pid"]))
        self.wait()

    def wait(self) -> int:
        """Wait for its end; return its exit status."""
        return int(self.project.engine.docker("wait", self.container))

    def arrived(self, event: str) -> list[LogRecord]:
        """Return the log records with this event's name that the log store has."""
        query = equal_fields({JOB_ID: self.job_id, "event_name": event})
        return log_records(self.project.url("victorialogs"), query, time.time() - 3600, time.time() + 60)

    def items_arrived(self) -> set[int]:
        """Return the numbers of the items that the log store has."""
        return {int(record.fields[NUMBER]) for record in self.arrived("item")}


def start_job(project: Project, *, items: int, rate: float, text_bytes: int = 0) -> ContainedJob:
    job_id = f"contained-{uuid.uuid4().hex}"
    arguments = ("--job-id", job_id, "--items", str(items), "--rate", str(rate), "--bytes", str(text_bytes))
    container = project.compose("run", "--detach", "job", *arguments).split()[-1]
    return ContainedJob(project, container, job_id)


def account(project: Project, job: ContainedJob) -> dict[str, Any]:
    """Return a job's delivery account, as the sidecar has it."""
    runs = json.loads(project.compose("exec", "-T", "ship", "synapse-otel", "jobs", "--json"))
    [found] = [run for run in runs if any(one.get("job_id") == job.job_id for one in run["jobs"])]
    return dict(found)
