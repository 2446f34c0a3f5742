"""All examples of `examples/processes`, run once, and delivered by one shipper afterwards."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from synapse_otel.journal.cursor import read_cursor
from synapse_otel.semconv.signal import Signal
from tests.eventually import eventually
from tests.faults.running import Place
from tests.sink import Sink, attributes, body

EXAMPLES = Path(__file__).parents[2] / "examples" / "processes"
POOLS = [
    ("process", "fork"),
    ("process", "forkserver"),
    ("pool", "fork"),
    ("pool", "spawn"),
    ("executor", "spawn"),
    ("executor", "forkserver"),
]
BACKENDS = ("loky", "multiprocessing", "threading")
EPOCHS = 100
PROGRAMS = [
    ("data_loader.py", str(EPOCHS)),
    ("by_subprocess.py",),
    ("threads_and_tasks.py",),
    *[("pools.py", *how) for how in POOLS],
    *[("with_joblib.py", backend) for backend in BACKENDS],
]


class Delivered:
    """What all the examples have recorded."""

    def __init__(self, sink: Sink, said: dict[tuple[str, ...], str]) -> None:
        self.sink = sink
        self.said = said
        self.records = [(record, attributes(record)) for record in sink.logs()]
        self._spans = sink.spans()
        self._by_job: dict[str, list[Any]] = {}
        for record, its in self.records:
            self._by_job.setdefault(its["synapse.job.id"], []).append(record)

    def logs(self, job_id: str) -> list[Any]:
        return self._by_job[job_id]

    def messages(self, job_id: str) -> Counter[str]:
        return Counter(body(record) for record in self.logs(job_id) if record.event_name == "synapse.message")

    def spans(self, job_id: str) -> list[Any]:
        """Return the spans of the trace that a job is in."""
        traces = {record.trace_id for record in self.logs(job_id)}
        assert len(traces) == 1
        return [span for span in self._spans if span.trace_id in traces]

    def span(self, job_id: str, name: str) -> Any:
        (found,) = [span for span in self.spans(job_id) if span.name == name]
        return found

    def samples(self, job_id: str) -> Counter[float]:
        points = self.sink.points("synapse.job.metric")
        return Counter(point.value for point in points if point.attributes["synapse.job.id"] == job_id)


def run(place: Place, program: tuple[str, ...]) -> str:
    command = [sys.executable, str(EXAMPLES / program[0]), *program[1:]]
    done = subprocess.run(command, env=place.environment(), capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Delivered]:
    with Sink() as sink:
        place = Place(tmp_path_factory.mktemp("examples") / "journals", sink.url, {"SYNAPSE_OTEL_SHIPPER": "off"})
        with ThreadPoolExecutor(2) as two:
            said = dict(zip(PROGRAMS, two.map(lambda program: run(place, program), PROGRAMS), strict=True))
        place.start_shipper()
        eventually(lambda: all(complete(folder) for folder in place.folders()), within=60)
        yield Delivered(sink, said)
        place.end_shippers()


def complete(folder: Path) -> bool:
    return all(read_cursor(folder, signal).complete for signal in Signal)
