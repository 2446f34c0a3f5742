"""Bad surroundings: the job goes on, says once what it means, and what was not kept is counted."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from synapse_otel.journal.account import account_of
from synapse_otel.journal.cursor import read_cursor
from synapse_otel.journal.folder import read_run, run_folders
from synapse_otel.sdk.recorder import spare_roots
from synapse_otel.semconv.signal import Signal
from tests.eventually import eventually
from tests.shipping import shipper_of
from tests.sink import attributes, body

NOBODY = 65534


def bodies(sink):
    return [body(record) for record in sink.logs()]


@pytest.fixture
def small_disk(tmp_path):
    """A real file system of 8 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=0777", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def without_allocation(tmp_path):
    """A real file system that cannot allocate in advance."""
    folder = tmp_path / "ram"
    folder.mkdir()
    subprocess.run(["mount", "-t", "ramfs", "ramfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def spared(place, tmp_path):
    """The runs that this test's jobs have written to the spare folders, which all jobs share; deleted after it."""

    def spare_runs():
        runs = [folder for root in spare_roots() for folder in run_folders(root)]
        return [folder for folder in runs if read_run(folder).process in place.started]

    yield spare_runs
    for pid in spare_shippers(tmp_path):
        os.kill(pid, signal.SIGKILL)
    for folder in spare_runs():
        while folder.exists():
            with suppress(FileNotFoundError):  # a shipper that is killed now, or another test's, deletes it too
                shutil.rmtree(folder)


def spare_shippers(folder):
    """Return the shippers that hold a lock in a spare folder, and were started by a job that was given ``folder``."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            held = {os.readlink(descriptor) for descriptor in (process / "fd").iterdir()}
            locks = [path for path in held for root in spare_roots() if path.startswith(f"{root}/shipper-")]
            if locks and os.fsencode(folder) in (process / "environ").read_bytes():
                found.append(int(process.name))
    return found


def without_override():
    """Give up root's right to write everywhere, in the child before it becomes the job."""
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


@pytest.mark.parametrize("reason", ["not writable", "of another user", "cannot be made"])
def test_a_journal_folder_that_cannot_be_written_is_said_once_and_memory_stands_in(sink, place, spared, reason):
    place.root = place.root.parent / "state" / "journals"
    place.root.parent.mkdir()
    if reason == "not writable":
        place.root.mkdir(mode=0o500)
    elif reason == "of another user":
        place.root.mkdir()
        place.root.chmod(0o777)
        os.chown(place.root, NOBODY, NOBODY)
    else:
        place.root.parent.chmod(0o555)
    process = place.start("normal", preexec_fn=without_override)
    out, err = process.communicate(timeout=30)

    assert process.returncode == 0, err
    assert "left" in out
    said = [line for line in err.splitlines() if "cannot write the journal" in line]
    assert len(said) == 1
    assert str(place.root) in said[0]
    assert "it goes on in " in said[0]
    assert "pending 0" in err
    assert {"message 0", "message 1", "message 2"} <= set(bodies(sink))
    assert len(spared()) == 1


def test_a_disk_that_fills_up_leaves_the_job_unharmed_and_the_rest_goes_to_memory(sink, place, small_disk, spared):
    place.root = small_disk / "journals"
    place.variables["SYNAPSE_OTEL_SHIPPER"] = "off"
    ended = place.run("filling", 20_000, 600)  # 12 MB on 8

    assert ended.code == 0, ended.err
    assert "left" in ended.out
    assert len([line for line in ended.said if "can no longer be written" in line]) == 1
    place.variables.clear()
    mine = [*place.folders(), *spared()]
    assert len(mine) == 2
    configuration = place.configuration()
    shipper = shipper_of([], configuration.destination, configuration.key)
    try:
        for folder in mine:
            assert shipper.deliver_once(folder)
        found = bodies(sink)
        numbers = sorted(int(one.split()[0]) for one in found if one and one[0].isdigit())
        assert numbers == list(range(600)), "each once"
        assert "the last" in found
        assert len([record for record in sink.logs() if record.event_name == "synapse.job.finished"]) == 1
        [span] = [span for span in sink.spans() if span.name == "train demo"]
        assert attributes(span)["synapse.job.result"] == "success"
        assert sink.last("synapse.job.progress.current", synapse_category="fill") == 2
        assert sink.last("synapse.job.active") == 0
        uids = [attributes(record)["log.record.uid"] for record in sink.logs()]
        assert len(set(uids)) == len(uids), "two journals of one run do not share uids"
        for folder in mine:
            for signal in Signal:
                cursor = read_cursor(folder, signal)
                assert (cursor.complete, cursor.killed) == (True, False)
                assert cursor.dropped == {}
    finally:
        shipper.stop()


def test_a_disk_that_fills_up_while_the_shipper_delivers(sink, place, small_disk, spared):
    place.root = small_disk / "journals"
    ended = place.run("filling", 20_000, 1200)

    assert ended.code == 0, ended.err
    assert "left" in ended.out
    sink.wait(lambda: "the last" in bodies(sink), within=15)
    eventually(lambda: {int(one.split()[0]) for one in bodies(sink) if one[:1].isdigit()} == set(range(1200)))


def test_a_file_system_that_cannot_allocate_is_written_by_calls(sink, place, without_allocation):
    place.root = without_allocation / "journals"
    ended = place.run("normal", 50)
    assert ended.code == 0
    assert "pending 0" in ended.said[-1]
    assert {f"message {number}" for number in range(50)} <= set(bodies(sink))


def test_a_storm_of_signals_leaves_the_journal_whole_without_allocation_too(sink, place, without_allocation):
    place.root = without_allocation / "journals"
    check_storm(sink, place)


def test_a_storm_of_signals_leaves_the_journal_whole(sink, place):
    check_storm(sink, place)


def check_storm(sink, place):
    ended = place.run("storm")
    assert ended.code == 0, ended.err
    eventually(lambda: all(read_cursor(place.folders()[0], signal).complete for signal in Signal), within=30)
    [folder] = place.folders()
    cursor = read_cursor(folder, Signal.LOGS)
    assert cursor.dropped == {}
    assert cursor.warnings == []
    assert cursor.delivered == cursor.sequence
    found = bodies(sink)
    made, signals, raised = ended.told("made"), ended.told("signals"), ended.told("raised")
    print(f"{made} messages, {signals} signals, of which {raised} raised")
    assert raised > 10
    # A call that the handler interrupted by raising may have recorded before it did, and is then made again.
    assert {f"made {number}" for number in range(1, made + 1)} <= set(found)
    assert made <= sum(one.startswith("made") for one in found) <= made + raised
    [returned] = [line.split()[1] for line in ended.out.splitlines() if line.startswith("returned ")]
    assert {f"signal {number}" for number in returned.split(",")} <= set(found)


def test_a_journal_folder_deleted_while_the_job_runs(sink, place):
    process = place.start("deleting")
    assert process.stdout.readline() == "ready\n"
    sink.wait(lambda: "before" in bodies(sink))
    out, err = process.communicate("\n", timeout=30)

    assert process.returncode == 0, err
    assert "left" in out
    assert len([line for line in err.splitlines() if "can no longer be written" in line]) == 1
    sink.wait(lambda: any(one.startswith("after 299 ") for one in bodies(sink)))
    assert sink.wait(lambda: [span for span in sink.spans() if span.name == "train demo"])


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("SYNAPSE_OTEL_SHIPPER", "sometimes", "process"),
        ("SYNAPSE_OTEL_EXIT_TIMEOUT", "soon", "number"),
        ("SYNAPSE_OTEL_JOURNAL_BUDGET", "1MiB", "16MiB"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://x", "http"),
    ],
)
def test_a_wrong_setting_stops_at_the_start_and_names_variable_value_and_what_is_allowed(
    place, variable, value, allowed
):
    place.variables[variable] = value
    ended = place.run("normal")
    assert ended.code == 1
    *_, error, explained = ended.err.strip().splitlines()
    assert variable in error
    assert value in error
    assert allowed in error
    assert explained == "`synapse-otel doctor settings` tells more"
    assert not place.root.exists() or place.folders() == []


def test_what_cannot_be_kept_anywhere_is_counted(sink, place, small_disk):
    account = account_of([], 10, unwritten=10)
    assert (account.delivered, account.pending, account.lost) == (0, 0, 10)
