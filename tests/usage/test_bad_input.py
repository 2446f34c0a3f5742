"""What may fail while a job is sampled: it is said once, and neither the job nor its delivery hears of it."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

import msgspec
import pytest

from synapse_otel.journal.creation import create_journal
from synapse_otel.journal.folder import read_run
from synapse_otel.shipper.usage import sampler as sampling
from synapse_otel.shipper.usage.following import JournalUsage
from synapse_otel.shipper.usage.host import ProcHost
from synapse_otel.shipper.usage.proc_tree import ProcTree
from tests.eventually import eventually
from tests.sink import attributes
from tests.usage.conftest import go_on
from tests.usage.test_sampling import samples, span_of

pytestmark = pytest.mark.once

UNSEEN = "the process of a job is not visible from here, so its resource usage is not sampled: "


def whole(sink, job):
    """End a job, and see that it is delivered without what it used."""
    job.communicate("\n", timeout=60)
    assert job.returncode == 0
    found = attributes(span_of(sink))
    assert found["synapse.job.result"] == "success"
    assert not [key for key in found if key.startswith("synapse.usage.")]
    assert sink.points("process.memory.usage") == []


@pytest.mark.parametrize("hidden", ["the lock's holder", "the process' files"])
def test_a_process_that_is_not_to_be_seen_is_said_once(hidden, sink, place, shipping, *, start_job, monkeypatch):
    if hidden == "the lock's holder":  # in another namespace of process ids
        monkeypatch.setattr(JournalUsage, "find", lambda _self: None)
    else:  # hidepid
        monkeypatch.setattr(ProcTree, "_stat", _refuse)
    started = shipping()
    jobs = [start_job("wait"), start_job("wait")]
    sink.wait(lambda: sink.last("synapse.job.heartbeat.time"), within=60)
    eventually(lambda: started.said, within=60)
    for job in jobs:
        whole(sink, job)
    assert len(started.said) == 1
    assert started.said[0].startswith(UNSEEN)
    assert not any(samples(folder) for folder in place.folders())


def _refuse(*_arguments):
    raise PermissionError(13, "Permission denied")


def test_psutil_that_is_absent_where_it_is_needed_is_said_once(sink, shipping, start_job, monkeypatch):
    monkeypatch.setattr(sampling, "tells_children", lambda: False)
    monkeypatch.setitem(sys.modules, "psutil", None)
    started = shipping()
    job = start_job("wait")
    eventually(lambda: started.said, within=60)
    whole(sink, job)
    assert len(started.said) == 1
    assert started.said[0].startswith("resource usage cannot be sampled: ModuleNotFoundError")


def test_where_the_kernel_does_not_tell_of_children_psutil_does(sink, place, shipping, start_job, monkeypatch):
    monkeypatch.setattr(sampling, "tells_children", lambda: False)
    started = shipping()
    job = start_job("children", 1)
    go_on(job)
    sink.wait(lambda: sink.last("synapse.job.processes") == 2, within=60)
    job.communicate("\n", timeout=60)
    assert attributes(span_of(sink))["synapse.usage.processes.peak"] == 2
    assert started.said == []


def test_a_job_that_dies_between_two_looks_is_no_failure(sink, place, shipping, start_job):
    started = shipping()
    for number in range(3):
        job = start_job("wait")
        (folder,) = (one for one in place.folders() if not samples(one) or number == 0)
        eventually(lambda folder=folder: samples(folder), within=60)
        os.kill(job.pid, signal.SIGKILL)
        job.communicate(timeout=60)
    sink.wait(lambda: len([one for one in sink.spans() if one.name == "train yolo"]) == 3, within=60)
    assert started.said == []


def test_a_file_that_cannot_be_written_costs_the_curves_and_nothing_else(sink, place, shipping, start_job):
    started = shipping()
    job = start_job("wait")
    (folder,) = place.folders()
    eventually(lambda: samples(folder), within=60)
    with suppress(FileNotFoundError):
        (folder / "usage").unlink()
    (folder / "usage").mkdir()  # no disk is full for root: what stands in the way is a folder
    sink.wait(lambda: started.said, within=60)
    count = len(sink.points("process.memory.usage"))
    sink.wait(lambda: len(sink.points("process.memory.usage")) > count + 2, within=60)
    job.communicate("\n", timeout=60)
    assert attributes(span_of(sink))["synapse.job.result"] == "success"
    assert len(started.said) == 1
    assert started.said[0].startswith("resource usage cannot be sampled: IsADirectoryError")


def test_a_host_that_tells_nothing_is_not_known(tmp_path):
    host = ProcHost(tmp_path)
    found = host.read()
    assert (found.cpu, found.memory, found.memory_limit) == (None, None, 0)
    assert host.network(os.getpid()) is None


def test_what_passes_twice_over_interfaces_is_counted_once(tmp_path):
    (tmp_path / "7" / "net").mkdir(parents=True)
    lines = [
        "Inter-|",
        " face |",
        *(f" {name}: {count} 1 0 0 0 0 0 0 {count * 2} 1" for name, count in NETWORK.items()),
    ]
    (tmp_path / "7" / "net" / "dev").write_text("\n".join(lines))
    assert ProcHost(tmp_path).network(7) == (30, 60)


NETWORK = {"lo": 1000, "eth0": 10, "ib0": 20, "docker0": 100, "veth12ab": 100, "br-77": 100, "cali1": 100}


def test_where_a_lock_does_not_tell_its_holder_a_younger_process_is_none_of_the_jobs(tmp_path, monkeypatch):
    journal, _ = create_journal(tmp_path, "run", {}, destination="key", budget=1 << 26)
    run = read_run(journal.folder)
    monkeypatch.setattr(sys, "platform", "darwin")
    try:
        assert JournalUsage(journal.folder, run).find() == os.getpid()
        before = msgspec.structs.replace(run, created=1.0)  # when the number was another one's
        assert JournalUsage(journal.folder, before).find() is None
    finally:
        journal.close()
    assert JournalUsage(journal.folder, run).find() is None, "it has ended"
