"""One folder of journals that two releases share, with the processes that a test starts there."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from synapse_otel.journal.cursor import read_cursor
from synapse_otel.semconv.signal import Signal
from tests.eventually import eventually
from tests.faults.running import Place
from tests.sink import Sink, attributes, body
from tests.upgrades.installed import LOADED, Release

JOBS = Path(__file__).with_name("jobs.py")


@dataclass
class Shared(Place):
    """A folder of journals; what is started in it has the package of a release and not this tree."""

    loaded: Path = field(default_factory=Path)

    def environment(self) -> dict[str, str]:
        found = {name: value for name, value in super().environment().items() if name != "PYTHONPATH"}
        native = os.environ.get("SYNAPSE_OTEL_NATIVE")  # a whole run has it
        return found | ({"SYNAPSE_OTEL_NATIVE": native} if native else {}) | {LOADED: str(self.loaded)}

    def job(self, release: Release, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start one of `jobs`, and see that it runs on the release."""
        process = self._popen(release.python, JOBS, *arguments)
        self.processes.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line == f"{release.packages}\n", line or process.communicate()
        return process

    def whole(self, release: Release, *arguments: str | Path) -> str:
        """Run one of `jobs` to its end, and return its last line."""
        code, line = ended(self.job(release, *arguments))
        assert code == 0, line
        return line

    def command(self, release: Release, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the release's command."""
        process = self._popen(release.command, *arguments)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def _popen(self, *command: str | Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            env=self.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def runs(self, release: Release) -> dict[str, dict[str, Any]]:
        """Return what the release's `jobs` lists, by the run's name."""
        found = self.command(release, "jobs", "--json")
        assert found.returncode == 0, found
        return {run["name"]: run for run in json.loads(found.stdout)}

    def is_delivered(self) -> bool:
        """Say whether nothing is pending, and nothing was dropped."""
        cursors = [read_cursor(folder, signal) for folder in self.folders() for signal in Signal]
        assert not any(cursor.dropped for cursor in cursors), cursors
        return bool(cursors) and all(cursor.complete for cursor in cursors)


def half(job: subprocess.Popen[str]) -> None:
    """Wait until a job has recorded one half."""
    assert job.stdout is not None
    assert job.stdout.readline() == "half\n"


def ended(job: subprocess.Popen[str], word: str = "") -> tuple[int, str]:
    """Give a job its word; return its exit code, and what it has said at last."""
    _, err = job.communicate(f"{word}\n", timeout=60)
    return job.returncode, (err.splitlines() or [""])[-1]


def is_shipper_of(pid: int, release: Release) -> bool:
    """Say whether a shipper's process was started with the package of a release."""
    arguments = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return arguments[arguments.index("-c") + 2] == str(release.packages)


def one_shipper(place: Shared, release: Release) -> int:
    """Wait for the one shipper of a folder, see that it is one of the release, and return its process id."""
    pid = eventually(lambda: place.shipper() or 0)
    eventually(lambda: place.shippers() == [pid])  # one that finds the lock taken leaves
    assert is_shipper_of(pid, release)
    return pid


def senders(sink: Sink) -> set[str]:
    """Return the releases that have sent what was accepted."""
    found = {request.headers["user-agent"] for request in sink.requests if request.answer.accepts}
    return {agent.split(" ")[0].removeprefix("synapse-otel/") for agent in found}


def messages(sink: Sink, name: str) -> list[str]:
    """Return the messages of a run, in the order of their numbers, each as often as it came."""
    found = [text for record in sink.logs() if str(text := body(record)).startswith(f"{name} message ")]
    return sorted(found, key=lambda text: int(text.rpartition(" ")[2]))


def has_half(sink: Sink, name: str) -> bool:
    """Say whether the messages of a run's first half have come."""
    return messages(sink, name) == said(name)[:10]


def said(name: str) -> list[str]:
    """Return the messages that a run records."""
    return [f"{name} message {number}" for number in range(20)]


def samples(sink: Sink, name: str) -> list[float]:
    """Return the samples of a run's metric, each as often as it came."""
    found = sink.points("synapse.job.metric")
    return sorted(point.value for point in found if point.attributes.get("synapse.job.id") == f"job-{name}")


def check_once(sink: Sink, *names: str) -> None:
    """See that each record of runs came once: messages, samples, spans, and everything else by its id."""
    for name in names:
        assert messages(sink, name) == said(name)
        assert samples(sink, name) == list(range(20))
    ids = [attributes(record)["log.record.uid"] for record in sink.logs()]
    assert len(set(ids)) == len(ids)
    spans = [(span.trace_id, span.span_id) for span in sink.spans()]
    assert len(set(spans)) == len(spans)
    jobs = [attributes(span)["synapse.job.id"] for span in sink.spans() if "synapse.job.result" in attributes(span)]
    assert sorted(jobs) == sorted(f"job-{name}" for name in names)
