"""What every release wrote is read and delivered by this one (docs/upgrades.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from synapse_otel import __version__, read
from synapse_otel.journal.cursor import read_cursor
from synapse_otel.semconv.signal import Signal
from tests.runs.runs import command
from tests.sink import Sink, attributes
from tests.unpacking import unpack
from tests.upgrades.make import EXPECTED, STORES

ARCHIVES = sorted(STORES.glob("*.tar.xz"))
every_release = pytest.mark.parametrize(
    "archive", ARCHIVES, ids=[path.name.removesuffix(".tar.xz") for path in ARCHIVES]
)


class Store:
    """A store that was unpacked."""

    def __init__(self, archive: Path, to: Path) -> None:
        unpack(archive, to)
        self.journals = to / "journals"
        self.jobs: dict[str, Any] = json.loads((to / EXPECTED).read_text())["jobs"]

    def folder(self, job: str) -> Path:
        return self.journals / str(self.jobs[job]["folder"])

    def deliver(self, sink: Sink) -> str:
        """Deliver all of it as a user does who has installed a newer release; return what the command says."""
        found = command(self.journals, "sync", "--all", OTEL_EXPORTER_OTLP_ENDPOINT=sink.url)
        assert found.returncode == 0, found.stdout + found.stderr
        return found.stdout


@pytest.fixture
def store(archive: Path, tmp_path: Path) -> Store:
    return Store(archive, tmp_path)


def test_this_release_has_a_store() -> None:
    assert f"{__version__}.tar.xz" in {path.name for path in ARCHIVES}, "python -m tests.upgrades.make"


def messages(sink: Sink, job: str) -> list[str]:
    return [
        record.body.string_value
        for record in sink.logs()
        if attributes(record).get("synapse.job.id") == job and " message " in record.body.string_value
    ]


@every_release
def test_what_was_not_delivered_is_and_nothing_twice(store: Store, sink: Sink) -> None:
    store.deliver(sink)
    assert messages(sink, "job-kept") == [], "it was delivered"
    assert messages(sink, "job-half") == [], "its log records were delivered"
    for job in ("job-pending", "job-killed"):
        assert messages(sink, job) == store.jobs[job]["messages"]
    damaged = store.jobs["job-damaged"]["messages"]
    assert messages(sink, "job-damaged") == damaged[:20] + damaged[21:], "one record of it is damaged"
    for job in store.jobs:
        cursors = {signal: read_cursor(store.folder(job), signal) for signal in Signal}
        assert all(cursor.complete for cursor in cursors.values())
        assert sum(sum(cursor.dropped.values()) for cursor in cursors.values()) == (job == "job-damaged")
    spans = {
        attributes(span).get("synapse.job.id"): span for span in sink.spans() if "synapse.action" in attributes(span)
    }
    assert set(spans) == {"job-half", "job-pending", "job-killed", "job-damaged"}
    assert attributes(spans["job-killed"])["error.type"] == "killed"
    for job, progress in (("job-killed", 21), ("job-pending", 40), ("job-half", 40)):
        assert sink.last("synapse.job.progress.current", synapse_job_id=job) == progress


@every_release
def test_it_is_read(store: Store) -> None:
    runs = {run.job_id: run for run in read.runs(folder=store.journals)}
    assert set(runs) == set(store.jobs)
    with pytest.warns(read.IncompleteWarning, match="job-damaged.*damaged and skipped: .* in 1 place"):
        told = {job: [one.text for one in run.messages() if one.kind == "message"] for job, run in runs.items()}
    for job, run in runs.items():
        wanted = store.jobs[job]["messages"]
        assert told[job] == (wanted[:20] + wanted[21:] if job == "job-damaged" else wanted)
        assert len(run.metrics()["training", "loss"].values) == len(wanted)
        assert run.params == {"lr": 0.1}
        assert run.state == ("crashed" if job == "job-killed" else "done")


@every_release
def test_the_commands_list_it(store: Store) -> None:
    listed = command(store.journals, "jobs", "--json")
    assert listed.returncode == 0, listed.stderr
    assert {run["jobs"][0]["job_id"] for run in json.loads(listed.stdout)} == set(store.jobs)
