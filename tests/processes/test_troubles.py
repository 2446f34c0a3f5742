"""Processes that end, and processes that cannot record: what there is arrives, and the work goes on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from synapse_otel.runs import Recording
from tests.eventually import eventually
from tests.faults.running import Place
from tests.processes.conftest import complete
from tests.runs.ports import free_port
from tests.sink import Sink, attributes, body

pytestmark = pytest.mark.once

PROGRAM = Path(__file__).with_name("programs.py")
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CHILDREN = {
    "after": ("take", "after"),
    "wrong setting": ("take", "during"),
    "no disk": ("limited", "during"),
}
VARIABLES = {"wrong setting": {"SYNAPSE_OTEL_STALL_TIMEOUT": "pigeon"}}


def run(environment, *arguments):
    command = [sys.executable, str(PROGRAM), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done


class Taken:
    """What the processes have said that were given a context, and the job's journals."""

    def __init__(self, folder: Path) -> None:
        self.place = Place(folder / "journals", f"http://127.0.0.1:{free_port()}", {"SYNAPSE_OTEL_SHIPPER": "off"})
        run(self.place.environment(), "give", str(folder))
        with ThreadPoolExecutor(2) as two:
            done = two.map(lambda name: self.child(folder, name), CHILDREN)
            self.done = dict(zip(CHILDREN, done, strict=True))
        self.recording = Recording.read(*self.place.folders())

    def child(self, folder, name):
        way, file = CHILDREN[name]
        return run({**self.place.environment(), **VARIABLES.get(name, {})}, way, str(folder / file))


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Taken:
    return Taken(tmp_path_factory.mktemp("taken"))


@pytest.mark.parametrize("name", CHILDREN)
def test_the_work_goes_on(taken, name):
    assert taken.done[name].stdout == "went on\n"


def test_a_context_that_was_pickled_after_its_job_still_records_in_its_trace(taken):
    (job,) = taken.recording.spans
    found = [entry for entry in taken.recording.logs if entry.body == "taken after"]
    assert len(found) == 2
    assert {entry.trace_id for entry in found} == {job.trace_id}
    assert taken.done["after"].stderr == ""
    assert job.result == "success"


def test_a_wrong_setting_of_a_worker_is_said_once(taken):
    (line,) = taken.done["wrong setting"].stderr.splitlines()
    assert line.startswith("synapse-otel: SYNAPSE_OTEL_STALL_TIMEOUT=pigeon: ")
    assert line.endswith("is not recorded; `synapse-otel doctor settings` tells more")


def test_a_worker_that_can_write_nowhere_says_so_once(taken):
    (line,) = taken.done["no disk"].stderr.splitlines()
    assert line.startswith("synapse-otel: no journal can be written (")
    assert line.endswith("`synapse-otel doctor journal` tells more")


def test_outside_of_any_job_a_record_belongs_to_the_span_that_started_the_process(tmp_path):
    place = Place(tmp_path / "journals", f"http://127.0.0.1:{free_port()}", {"SYNAPSE_OTEL_SHIPPER": "off"})
    place.variables["TRACEPARENT"] = f"00-{TRACE}-{SPAN}-01"
    place.variables["SYNAPSE_OTEL_JOB"] = '{"of": "another version"}'
    assert run(place.environment(), "outside").stdout == "None None\n"
    (entry,) = [entry for entry in Recording.read(*place.folders()).logs if entry.body == "outside"]
    assert (entry.trace_id, entry.span_id) == (TRACE, SPAN)


@pytest.fixture
def delivering(tmp_path: Path, sink: Sink) -> Iterator[Place]:
    found = Place(tmp_path / "journals", sink.url)
    yield found
    found.end()


def test_what_children_record_whose_parent_is_killed_arrives(delivering, sink, tmp_path):
    parent = delivering.start("orphans", tmp_path, program=PROGRAM)
    assert parent.wait(60) == -9
    eventually(lambda: len(list(tmp_path.glob("ended *"))) == 2, within=60)
    parent.communicate(timeout=60)  # its children have its pipes
    eventually(lambda: all(complete(folder) for folder in delivering.folders()), within=30)
    said = {body(record): record for record in sink.logs() if record.event_name == "synapse.message"}
    assert set(said) == {f"{number} {when}" for number in range(2) for when in ("before", "afterwards")}
    (job,) = [span for span in sink.spans() if span.name == "train demo"]
    assert attributes(job)["error.type"] == "killed"
    workers = {span.span_id: span for span in sink.spans() if span.name == "worker train demo"}
    assert {record.span_id for record in said.values()} == set(workers)
    assert {span.parent_span_id for span in workers.values()} == {job.span_id}
    assert {span.status.code for span in workers.values()} == {0}
