"""The jobs of `ray_jobs.py`, run once, and what they have left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest

from synapse_otel.journal.folder import Run, read_run, run_folders, spare_roots
from synapse_otel.runs import Overview, run_groups
from tests.eventually import eventually
from tests.faults.running import Place
from tests.faults.test_exit import all_complete
from tests.sink import Sink, attributes

JOBS = Path(__file__).with_name("ray_jobs.py")
TOKEN = "a-token-of-the-jobs"
SECONDS = 60.0


@dataclass
class Ran:
    """What became of the jobs."""

    place: Place
    second: Path
    """Folder of the journals of the node that is gone."""
    sink: Sink
    told: dict[str, dict[str, Any]]
    out: str
    err: str

    def spans(self, job: str, name: str = "") -> list[Any]:
        """Return the spans of a job, those whose names begin so, in the order in which they began."""
        found = [span for span in self.sink.spans() if attributes(span).get("synapse.job.id") == job]
        return sorted((span for span in found if span.name.startswith(name)), key=lambda one: one.start_time_unix_nano)

    def workers(self, job: str) -> list[Any]:
        return self.spans(job, "worker ")

    def runs(self) -> dict[str, list[Path]]:
        """Return the journals of each job, on whichever node, that of the driver first."""
        groups = [[known.folder for known in group] for group in run_groups([self.place.root, self.second])]
        return {Overview.read(group).jobs[0].id: group for group in groups if Overview.read(group).jobs}

    def overview(self, job: str) -> Overview:
        return Overview.read(self.runs()[job])

    def progress(self, job: str, category: str) -> Any:
        return next(one for one in self.overview(job).progress if one.category == category)


def runs_of(root: Path) -> list[Run]:
    return [run for folder in run_folders(root) if (run := read_run(folder)) is not None]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    folder = tmp_path_factory.mktemp("ray")
    with Sink() as sink:
        variables = {
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={TOKEN}",
            "OTEL_RESOURCE_ATTRIBUTES": "synapse.tenant=acme",
            "RAY_USAGE_STATS_ENABLED": "0",
            "SYNAPSE_OTEL_JOURNAL_KEEP": "true",
        }
        place = Place(folder / "journals", sink.url, variables)
        process = subprocess.Popen(
            [sys.executable, str(JOBS), str(folder)],
            env=place.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        place.processes.append(process)
        out, err = process.communicate(timeout=600)
        assert process.returncode == 0, err[-5000:]
        told = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
        eventually(lambda: all_complete(place), within=SECONDS)
        yield Ran(place, folder / "second", sink, {one["name"]: one for one in told}, out, err)
        place.end()
        ours = {run.journal for run in runs_of(place.root)}
        for elsewhere in (folder for root in spare_roots() for folder in run_folders(root)):
            if (run := read_run(elsewhere)) is not None and run.parent in ours:
                rmtree(elsewhere)  # of the worker that could not write where it was told to
