"""Disks that are full, limited or gone: the job is unharmed, and what was not kept is counted and said once."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from synapse_otel.journal.cursor import read_cursor
from synapse_otel.journal.files.locks import FileLock
from synapse_otel.journal.folder import SHIP_LOCK, read_run, run_folders
from synapse_otel.sdk.recorder import spare_roots
from synapse_otel.semconv.signal import Signal
from tests.faults.running import Ended
from tests.shipping import shipper_of
from tests.sink import attributes, body

pytestmark = pytest.mark.once

PROGRAM = Path(__file__).with_name("disk_jobs.py")


@contextmanager
def mounted(folder, *arguments):
    folder.mkdir()
    subprocess.run(["mount", *arguments, folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@contextmanager
def small_disk(tmp_path, kind):
    """A real file system of about 8 MiB, or with few inodes."""
    folder = tmp_path / "disk"
    if kind == "ext2":  # on a disk of its own, and unable to allocate in advance
        image = tmp_path / "image"
        with image.open("wb") as file:
            file.truncate(9 << 20)
        subprocess.run(["mke2fs", "-q", "-t", "ext2", "-m", "0", image], check=True)
        with mounted(folder, "-o", "loop", image):
            yield folder
    else:
        options = {"tmpfs": "size=8m", "inodes": "size=64m,nr_inodes=11"}[kind]
        with mounted(folder, "-t", "tmpfs", "-o", options, "tmpfs"):
            yield folder


@pytest.fixture
def run(place):
    def start(name, *arguments):
        process = subprocess.Popen(
            [sys.executable, PROGRAM, name, *map(str, arguments)],
            env=place.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        place.started.append(process.pid)
        return process

    return start


def ended(process, told=None):
    out, err = process.communicate(told, timeout=60)
    assert process.returncode == 0, err
    assert "left" in out
    return Ended(process.returncode, out, err, 0)


@pytest.fixture
def spared(place):
    """The runs of this test's jobs in the spare folders, which all jobs share; deleted after it."""

    def found():
        runs = [folder for root in spare_roots() for folder in run_folders(root)]
        return [folder for folder in runs if read_run(folder).process in place.started]

    yield found
    for folder in found():
        shutil.rmtree(folder)


def delivered(place, sink, folders):
    """Deliver journals; return the numbers that the messages begin with."""
    configuration = place.configuration()
    shipper = shipper_of([], configuration.destination, configuration.key)
    try:
        for folder in folders:
            assert shipper.deliver_once(folder)
    finally:
        shipper.stop()
    uids = [attributes(record)["log.record.uid"] for record in sink.logs()]
    assert len(set(uids)) == len(uids)
    return numbers(sink)


def delivered_logs(sink, place, folders):
    delivered(place, sink, folders)
    return sink.logs()


def numbers(sink):
    return sorted(int(one.split()[0]) for one in map(body, sink.logs()) if one and one[0].isdigit())


def account(process):
    """Return delivered, pending and dropped as the last line says."""
    words = process.said[-1].replace(",", "").split(" · ")
    found = [next(int(part.split()[1]) for part in words if part.startswith(key)) for key in ("delivered", "pending")]
    return (*found, next(int(part.split()[1]) for part in words if part.startswith("dropped")))


@pytest.mark.parametrize(("kind", "job"), [("ext2", "filling"), ("tmpfs", "called"), ("inodes", "filling")])
def test_what_a_full_disk_does_not_take_goes_to_memory_and_the_run_has_ended_well(  # noqa: PLR0917 - fixtures
    sink, place, spared, run, tmp_path, kind, job
):
    with small_disk(tmp_path, kind) as disk:
        place.root = disk / "journals"
        place.variables["SYNAPSE_OTEL_SHIPPER"] = "off"
        process = place.start(job, 20_000, 900) if job == "filling" else run(job, 20_000, 900)
        job_ended = ended(process)
        assert len([line for line in job_ended.said if "can no longer be written" in line]) == 1
        assert account(job_ended)[2] == 0
        folders = [*place.folders(), *spared()]
        assert len(folders) == 2
        if kind == "inodes":  # cursors are files too
            subprocess.run(["mount", "-o", "remount,nr_inodes=100", disk], check=True)
        assert delivered(place, sink, folders) == list(range(900)), "each once"
        finished = [record for record in sink.logs() if record.event_name == "synapse.job.finished"]
        assert [attributes(record)["synapse.job.result"] for record in finished] == ["success"]
        for folder in folders:
            cursors = [read_cursor(folder, signal) for signal in Signal]
            assert [(cursor.complete, cursor.killed, cursor.dropped) for cursor in cursors] == [(True, False, {})] * 3


def test_where_no_file_may_be_large_enough_everything_is_counted_and_said_once(sink, place, spared, run):
    job_ended = ended(run("limited", 1 << 20, 100, 50))
    assert len([line for line in job_ended.said if "no journal can be written" in line]) == 1
    assert len(job_ended.said) == 2
    delivered_count, pending, dropped = account(job_ended)
    assert (delivered_count, pending) == (0, 0)
    assert dropped >= 50
    assert sink.logs() == []
    assert spared() == []


@pytest.mark.parametrize("when", ["while", "before"])
def test_a_process_without_descriptors_records_on_or_says_so(sink, place, spared, run, when):
    place.start_shipper()
    job_ended = ended(run("without_descriptors", when))
    got, pending, dropped = account(job_ended)
    if when == "while":
        assert dropped == 0
        sink.wait(lambda: numbers(sink) == list(range(401)), within=30)
        assert len(job_ended.said) == 2
    else:
        assert (got, pending) == (0, 0)
        assert dropped >= 401
        assert len([line for line in job_ended.said if "no journal can be written" in line]) == 1
    assert spared() == []


@pytest.mark.parametrize("how", ["error", "end"])
def test_a_deleted_journal_is_noticed_at_the_next_error_or_end_and_what_it_held_is_counted(
    sink, place, spared, run, how
):
    place.variables["SYNAPSE_OTEL_SHIPPER"] = "off"
    process = run("deleted", how)
    assert process.stdout.readline() == "ready\n"
    [folder] = place.folders()
    shutil.rmtree(folder)
    job_ended = ended(process, "\n")
    said = [line for line in job_ended.said if "can no longer be written" in line]
    _, pending, dropped = account(job_ended)
    assert len(said) == (how == "error")
    if how == "error":
        assert delivered(place, sink, place.folders()) == list(range(10, 20))
        assert pending == sum(read_cursor(place.folders()[0], signal).delivered for signal in Signal)
        assert dropped >= 11
    else:
        assert (pending, dropped >= 21) == (0, True)


def test_two_jobs_at_once_have_a_journal_each_and_a_journal_has_one_shipper(sink, place, run):
    place.variables["SYNAPSE_OTEL_SHIPPER"] = "off"
    both = [run("limited", 1 << 30, 100, 20) for _ in range(2)]
    for process in both:
        ended(process)
    folders = place.folders()
    assert sorted(read_run(folder).process for folder in folders) == sorted(process.pid for process in both)
    lock = FileLock(folders[0] / SHIP_LOCK)
    assert lock.acquire()
    configuration = place.configuration()
    shipper = shipper_of([], configuration.destination, configuration.key)
    try:
        assert not shipper.deliver_once(folders[0])
        lock.release()
        assert [shipper.deliver_once(folder) for folder in folders] == [True, True]
        assert numbers(sink) == sorted([*range(20), *range(20)])
    finally:
        shipper.stop()


def test_a_journal_that_fails_does_not_wait_for_a_thread_that_waits_for_it(sink, place, spared, run):
    place.variables["SYNAPSE_OTEL_SHIPPER"] = "off"
    job_ended = ended(run("deleted_while_another_thread_waits"))
    assert "recorded while the other one waits: True" in job_ended.out
    assert "2 after" in {body(record) for record in delivered_logs(sink, place, [*place.folders(), *spared()])}
