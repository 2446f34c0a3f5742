"""Ends of processes, and what the host does in the middle of our calls: all as it would be without us."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from synapse_otel.journal.cursor import read_cursor
from synapse_otel.journal.folder import read_run
from synapse_otel.semconv.signal import Signal
from tests.eventually import eventually
from tests.faults.ends import WAYS
from tests.faults.running import Place
from tests.faults.test_exit import all_complete, result
from tests.sink import Sink, attributes, body

PROGRAM = Path(__file__).with_name("ends.py")


@dataclass
class Ended:
    code: int
    out: str
    err: str


@dataclass
class Delivered:
    """What all the programs have left behind, delivered by a shipper that was started afterwards."""

    place: Place
    sink: Sink
    programs: dict[tuple[str, bool], Ended]

    def logs(self, way):
        return [record for record in self.sink.logs() if attributes(record).get("synapse.job.id") == way]

    def messages(self, way):
        return [body(record) for record in self.logs(way) if record.event_name == "synapse.message"]

    def way(self, journal):
        """Return how the process ended that wrote a journal: the id of its job, which is on all that it recorded."""
        ways = {
            attributes(record)["synapse.job.id"]
            for request in self.sink.requests
            if request.path == "/v1/logs"
            for resource in request.message.resource_logs
            if attributes(resource.resource)["service.instance.id"] == journal
            for scope in resource.scope_logs
            for record in scope.log_records
        }
        assert len(ways) <= 1
        return next(iter(ways), "nothing recorded")

    def job(self, way):
        return next(span for span in self.sink.spans() if attributes(span).get("synapse.job.id") == way)


def run(place, way, *, bare):
    command = [sys.executable, str(PROGRAM), way, *(["bare"] if bare else [])]
    done = subprocess.run(command, env=place.environment(), capture_output=True, text=True, timeout=60, check=False)
    return (way, bare), Ended(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def delivered(tmp_path_factory):
    with Sink() as sink:
        place = Place(tmp_path_factory.mktemp("ends") / "journals", sink.url, {"SYNAPSE_OTEL_SHIPPER": "off"})
        with ThreadPoolExecutor(2) as pool:
            programs = dict(
                pool.map(lambda one: run(place, one[0], bare=one[1]), [(w, b) for w in WAYS for b in (0, 1)])
            )
        assert sink.requests == []
        place.start_shipper()
        eventually(lambda: all_complete(place), within=30)
        yield Delivered(place, sink, programs)
        place.end_shippers()


@pytest.mark.parametrize("way", WAYS)
def test_every_end_is_the_same_as_without_us(delivered, way):
    ours, bare = delivered.programs[way, False], delivered.programs[way, True]

    assert ours.code == bare.code
    assert ours.out == bare.out
    lines = [line for line in ours.err.splitlines() if not line.startswith("synapse-otel: ")]
    assert lines[-1:] == bare.err.splitlines()[-1:]


HELD_BACK = {"SIGTERM": "SIGTERM", "interrupted_inside": "KeyboardInterrupt", "SIGINT": "KeyboardInterrupt"}
FAILED = {
    "exit_status": "SystemExit",
    "exit_text": "SystemExit",
    "exception": "ValueError",
    "out_of_memory": "MemoryError",
}
KILLED = {
    "SIGHUP",
    "SIGQUIT",
    "SIGKILL",
    "abort",
    "segmentation_fault",
    "os_exit",
    "replaced_by_another_program",
}


@pytest.mark.parametrize("way", WAYS)
def test_what_was_recorded_before_any_end_is_delivered_by_the_next_start(delivered, way):
    expected = "success", None
    if way in HELD_BACK:
        expected = "error" if way == "SIGTERM" else "cancellation", HELD_BACK[way]
    elif way in FAILED:
        expected = "failure", FAILED[way]
    elif way in KILLED:
        expected = "error", "killed"

    job = attributes(delivered.job(way))
    assert (job["synapse.job.result"], job.get("error.type")) == expected
    assert f"{way} begins" in delivered.messages(way)
    finished = [record for record in delivered.logs(way) if record.event_name == "synapse.job.finished"]
    assert len(finished) == 1, "by whoever: the job, or the shipper for it"


@pytest.mark.parametrize("way", [way for way in WAYS if way.startswith("child_")])
def test_a_childs_records_arrive_in_its_parents_trace_however_it_ends(delivered, way):
    [child] = [record for record in delivered.logs(way) if body(record) == "of the child"]
    assert child.trace_id == delivered.job(way).trace_id
    assert child.span_id == delivered.job(way).span_id


def test_what_a_thread_records_after_the_jobs_end_arrives(delivered):
    [late] = [record for record in delivered.logs("thread_that_goes_on") if body(record) == "after the end"]
    assert late.trace_id == delivered.job("thread_that_goes_on").trace_id
    assert {f"pool {number}" for number in range(20)} <= set(delivered.messages("thread_pool"))


def test_no_record_has_the_uid_of_another(delivered):
    contents = {}
    for record in delivered.sink.logs():
        contents.setdefault(attributes(record)["log.record.uid"], set()).add(record.SerializeToString())
    assert {uid: found for uid, found in contents.items() if len(found) > 1} == {}


def test_every_record_is_accounted_for(delivered):
    for folder in delivered.place.folders():
        cursors = [read_cursor(folder, signal) for signal in Signal]
        assert all(cursor.delivered == cursor.sequence for cursor in cursors), read_run(folder)


def test_only_who_did_not_end_in_good_order_counts_as_killed(delivered):
    """A worker of multiprocessing closes its journal; so does a child that ends by `sys.exit` or an exception.

    What a daemon thread records after the interpreter's end has begun stands in a journal of its own, which nobody is
    left to close, and into which it may not even have come to write: it says nothing of the job, whose own journal was
    closed.
    """
    killed = [folder for folder in delivered.place.folders() if read_cursor(folder, Signal.LOGS).killed]
    ways = [delivered.way(read_run(folder).journal) for folder in killed]
    late = {"daemon_thread", "nothing recorded"}
    assert sorted(way for way in ways if way not in late) == sorted([*KILLED, "child_killed", "child_os_exit"])
    assert all(read_run(folder).parent for folder, way in zip(killed, ways, strict=True) if way in late)


@pytest.mark.parametrize(
    "kind", ["message", "error", "event", "progress", "metrics", "logging", "view that fails", "terminal"]
)
def test_what_a_signal_handler_of_the_host_raises_in_our_call_gets_through(sink, place, kind):
    ended = place.run("alarms", kind)

    assert ended.code == 0, ended.err
    ignored = ended.err.count("Exception ignored in")  # by Python, while it does away with an object
    assert ended.told("caught") + ignored == ended.told("raised") == 300
    assert ignored < 10
    assert [line for line in ended.said if "journal" in line or "cannot" in line] == []
    assert result(sink) == "success"
    assert "pending 0" in ended.said[-1]
    assert kind == "metrics" or "dropped 0" in ended.said[-1], "of a flood of samples some are merged"
