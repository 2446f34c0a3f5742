"""Writing and reading at once: segments that follow one another, threads, processes, full disks, budgets."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from synapse_otel.journal import frames, segment
from synapse_otel.journal.creation import create_journal
from synapse_otel.journal.folder import folder_size, read_run, segment_numbers, segment_path
from synapse_otel.journal.frames import HEADER_SIZE, LARGEST_PAYLOAD, Kind
from synapse_otel.journal.reader import JournalReader, read_all
from synapse_otel.journal.writer import SEGMENT_SIZE
from synapse_otel.semconv.signal import Signal
from tests.eventually import eventually

BUDGET = 1 << 30


@pytest.fixture(params=["mapped", "called"])
def way(request, monkeypatch):
    """Segments that are mapped, and segments that are written to with ``write(2)``."""
    if request.param == "called":
        monkeypatch.setattr(segment, "_fallocate", lambda: None)  # as on systems other than Linux
    return request.param


@pytest.fixture
def made(tmp_path):
    """Makes journals, and closes them."""
    journals = []

    def make(**options):
        journal, _state = create_journal(
            tmp_path / "root", "run", {"service.name": "x"}, **{"destination": "d", "budget": BUDGET, **options}
        )
        journals.append(journal)
        return journal

    yield make
    for journal in journals:
        journal.close()


def log(text, size=0):
    return frames.encode([1, 9, None, None, text + "x" * size, {}, b"", 0])


def records(folder):
    return [frame for frame, _ in read_all(folder) if frame.kind == Kind.LOG]


def test_what_a_folder_holds_and_who_may_read_it(made):
    journal = made(keep=True, parent="p")
    assert journal.folder.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in journal.folder.iterdir()} == dict.fromkeys(
        ["alive.lock", "ship.lock", "run.json", "state", "00000001.segment"], 0o600
    )
    run = read_run(journal.folder)
    assert (run.name, run.destination, run.keep, run.parent, run.process) == ("run", "d", True, "p", os.getpid())


def test_segments_follow_one_another_and_each_can_be_read_alone(made, way):
    journal = made()
    journal.define("scope", Kind.SCOPE, frames.encode([0, "scope"]))
    journal.define("span", Kind.SPAN_OPEN, frames.encode([b"t", b"s", b"", 0, "", "open", 1, 1, 0, {}, 0]))
    for number in range(3000):
        journal.append(Kind.LOG, Signal.LOGS, log(f"{number} ", 5000))
    journal.forget("span")
    for number in range(3000, 4000):
        journal.append(Kind.LOG, Signal.LOGS, log(f"{number} ", 5000))
    journal.close()

    numbers = segment_numbers(journal.folder)
    assert len(numbers) >= 5
    assert [frame.sequence for frame in records(journal.folder)] == list(range(4000))
    expected = 0
    for number in numbers:
        only = [frame for frame, _ in read_all(journal.folder) if frame.after.segment == number]
        header = only[0].decode()
        assert isinstance(header, frames.Segment)
        assert header.sequences == [expected, 0, 0]
        assert Kind.SCOPE in {frame.kind for frame in only}
        expected += sum(frame.count for frame in only if frame.kind == Kind.LOG)
    assert all(segment_path(journal.folder, number).stat().st_size <= SEGMENT_SIZE for number in numbers)
    last = {frame.kind for frame, _ in read_all(journal.folder) if frame.after.segment == numbers[-1]}
    assert Kind.SPAN_OPEN not in last
    end = [structure for frame, structure in read_all(journal.folder) if frame.kind == Kind.END]
    assert [one.sequences for one in end] == [[4000, 0, 0]]


@pytest.mark.parametrize("size", [*range(SEGMENT_SIZE - 700, SEGMENT_SIZE - 100, 13), SEGMENT_SIZE, 2 * SEGMENT_SIZE])
def test_a_frame_of_any_size_at_the_edge_of_a_segment(made, size):
    journal = made()
    journal.append(Kind.LOG, Signal.LOGS, b"a" * size)
    journal.append(Kind.LOG, Signal.LOGS, b"b")
    journal.close()
    assert [len(frame.payload) for frame in records(journal.folder)] == [size, 1]
    assert journal.dropped == [0, 0, 0]


def test_a_frame_larger_than_a_reader_takes_is_dropped_and_counted(made, way):
    journal = made()
    journal.append(Kind.LOG, Signal.LOGS, bytes(LARGEST_PAYLOAD + 1))
    journal.append(Kind.LOG, Signal.LOGS, b"b" * LARGEST_PAYLOAD)
    journal.append(Kind.LOG, Signal.LOGS, b"c")
    journal.close()
    assert [len(frame.payload) for frame in records(journal.folder)] == [LARGEST_PAYLOAD, 1]
    assert (journal.sequences[0], journal.dropped[0]) == (2, 1)


def test_a_reader_beside_threads_that_write_gets_every_record_once_and_in_order(made, way):
    journal = made()
    threads, each = 6, 6_000 if way == "mapped" else 2_000

    def write(thread):
        for number in range(each):
            journal.append(Kind.LOG, Signal.LOGS, log(f"{thread} {number} ", number % 700))
            if number % 100 == 0:
                journal.define(("series", thread, number % 7), Kind.SERIES, frames.encode([thread, 0, "gauge"]))
                journal.flush()
            if number % 500 == 0:
                journal.sync()

    writers = [threading.Thread(target=write, args=(thread,)) for thread in range(threads)]
    for writer in writers:
        writer.start()
    reader = JournalReader(journal.folder)
    found = []
    while any(writer.is_alive() for writer in writers):
        found += reader.read(ended=False)
    journal.close()
    while read := reader.read(ended=True):
        found += read
    reader.close()
    logs = [frame for frame in found if frame.kind == Kind.LOG]
    assert [frame.sequence for frame in logs] == list(range(threads * each))
    assert (reader.damage.bytes, journal.dropped) == (0, [0, 0, 0])
    texts = [frame.decode().body.rstrip("x") for frame in logs]
    for thread in range(threads):
        own = [int(text.split()[1]) for text in texts if text.startswith(f"{thread} ")]
        assert own == list(range(each))
    assert len(segment_numbers(journal.folder)) > 1


def test_a_reader_in_another_process_keeps_up_with_a_writer(made):
    journal = made()
    program = (
        "import sys, time; from pathlib import Path\n"
        "from synapse_otel.journal.reader import JournalReader\n"
        "reader = JournalReader(Path(sys.argv[1])); count = ended = 0\n"
        "while not ended:\n"
        "    for frame in reader.read(ended=False):\n"
        "        ended = frame.kind == 5\n"
        "        if frame.kind == 16:\n"
        "            assert frame.sequence == count, (frame.sequence, count)\n"
        "            count += 1\n"
        "assert reader.damage.bytes == 0; print(count)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(journal.folder)], stdout=subprocess.PIPE, text=True
    ) as process:
        for number in range(60_000):
            journal.append(Kind.LOG, Signal.LOGS, log(f"{number} ", number % 500))
        journal.close()
        out, _ = process.communicate(timeout=60)
    assert out.strip() == "60000"
    assert process.returncode == 0


def test_the_budget_deletes_the_oldest_and_the_numbers_tell_how_much(made, way):
    journal = made(budget=16 << 20)
    for number in range(8_000):
        journal.append(Kind.LOG, Signal.LOGS, log(f"{number} ", 5000))
    assert folder_size(journal.folder) <= 16 << 20
    journal.close()
    found = records(journal.folder)
    assert [frame.sequence for frame in found] == list(range(8_000 - len(found), 8_000))
    assert len(found) > 2_000
    first = next(structure for _, structure in read_all(journal.folder))
    assert first.sequences[0] == 8_000 - len(found)


def test_when_the_disk_is_full_another_journal_goes_on_and_this_one_says_so(made, tmp_path, way):
    disk = tmp_path / "disk"
    disk.mkdir()
    with mounted(disk, "6m"):
        first, _ = create_journal(disk / "root", "run", {}, destination="d", budget=BUDGET)
        second = made(parent=first.run.journal, continues=True)
        told = []

        def elsewhere(error):
            told.append(error)
            return second

        first.on_failure = elsewhere
        first.define("scope", Kind.SCOPE, frames.encode([0, "scope"]))
        for number in range(2_000):
            first.append(Kind.LOG, Signal.LOGS, log(f"{number} ", 5000))
        first.define("late", Kind.SCOPE, frames.encode([1, "late"]))
        first.close()
        second.close()
        assert len(told) == 1
        assert first.failed
        kept = len(records(first.folder))
        assert kept == first.sequences[0]
        assert kept + len(records(second.folder)) == 2_000
        assert first.dropped == second.dropped == [0, 0, 0]
        [end] = [structure for frame, structure in read_all(first.folder) if frame.kind == Kind.END]
        assert end.continued
        assert end.sequences[0] == kept
        assert [s.name for f, s in read_all(second.folder) if f.kind == Kind.SCOPE] == ["late"]


def test_the_end_finds_room_on_a_disk_that_is_full_to_the_last_page(tmp_path, monkeypatch):
    monkeypatch.setattr(segment, "_fallocate", lambda: None)
    disk = tmp_path / "disk"
    disk.mkdir()
    with mounted(disk, "400k"):
        journal, _ = create_journal(disk / "root", "run", {}, destination="d", budget=BUDGET)
        while not journal.failed:
            journal.append(Kind.LOG, Signal.LOGS, b"x" * 16)  # a smaller frame than the end's
        journal.close()
        *found, (frame, end) = read_all(journal.folder)
        assert (frame.kind, end.continued) == (Kind.END, True)
        assert end.sequences[0] == sum(each.kind == Kind.LOG for each, _ in found) > 1_000
        reader = JournalReader(journal.folder)
        while reader.read(ended=True):
            pass
        reader.close()
        assert reader.damage.bytes == 0


def test_with_no_other_journal_what_cannot_be_kept_is_counted(tmp_path, way):
    disk = tmp_path / "disk"
    disk.mkdir()
    with mounted(disk, "6m"):
        journal, _ = create_journal(disk / "root", "run", {}, destination="d", budget=BUDGET)
        for number in range(2_000):
            journal.append(Kind.LOG, Signal.LOGS, log(f"{number} ", 5000))
        journal.flush()
        journal.sync()
        journal.close()
        assert journal.sequences[0] + journal.dropped[0] == 2_000
        assert len(records(journal.folder)) == journal.sequences[0] > 500


def test_a_disk_too_small_for_a_journal_leaves_nothing_behind(tmp_path, way):
    disk = tmp_path / "disk"
    disk.mkdir()
    before = len(os.listdir("/proc/self/fd"))
    with mounted(disk, "64k"):
        with pytest.raises(OSError, match="space"):
            create_journal(disk / "root", "run", {}, destination="d", budget=BUDGET)
        assert list((disk / "root").iterdir()) == []
    assert len(os.listdir("/proc/self/fd")) == before


@contextlib.contextmanager
def mounted(folder: Path, size: str):
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.parametrize("raises", ["quiet", "raises"])
def test_a_storm_of_signals_whose_handler_appends_in_the_middle_of_appends(tmp_path, way, raises):
    """In a process of its own, as the signal is taken here; see `storm.py`."""
    program = Path(__file__).with_name("storm.py")
    ended = subprocess.run(
        [sys.executable, program, tmp_path / "root", way, raises],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    counts = json.loads(ended.stdout)
    [folder] = (tmp_path / "root").iterdir()
    reader = JournalReader(folder)
    found = []
    while read := reader.read(ended=True):
        found += [frame for frame in read if frame.kind == Kind.LOG]
    reader.close()
    assert reader.damage.bytes == 0
    assert counts["dropped"] == 0
    assert sorted(frame.sequence for frame in found) == list(range(counts["records"]))
    texts = {frame.payload.rstrip(b"x").decode() for frame in found}
    assert {f"made {number} " for number in range(counts["made"])} <= texts
    assert {f"signal {number} " for number in counts["signals"]} <= texts
    assert len(segment_numbers(folder)) > 20
    if raises == "raises":
        assert counts["interrupted"] > 50
        assert counts["descriptors"] < 100


def test_a_frame_over_the_limit_of_a_file_costs_itself_only(tmp_path):
    program = (
        "import sys, resource; from pathlib import Path\n"
        "from synapse_otel.journal.creation import create_journal\n"
        "from synapse_otel.journal.writer import SEGMENT_SIZE\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (SEGMENT_SIZE, SEGMENT_SIZE))\n"
        "journal, _ = create_journal(Path(sys.argv[1]), 'run', {}, destination='d', budget=1 << 30)\n"
        "for size in (10, SEGMENT_SIZE + 1, 10, 4_000_000, 10): journal.append(16, 0, bytes(size))\n"
        "journal.close(); print(journal.failed, journal.sequences[0], journal.dropped[0])\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.split() == ["False", "4", "1"]
    [folder] = tmp_path.iterdir()
    assert [len(frame.payload) for frame in records(folder)] == [10, 10, 4_000_000, 10]


def test_no_descriptor_is_left_open(made):
    before = len(os.listdir("/proc/self/fd"))
    journal = made()
    for number in range(20_000):
        journal.append(Kind.LOG, Signal.LOGS, log(f"{number} ", 800))
    journal.close()
    assert len(segment_numbers(journal.folder)) > 3
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_closed_journal_takes_nothing_more_and_says_so(made):
    journal = made()
    journal.append(Kind.LOG, Signal.LOGS, log("a"))
    journal.close()
    journal.close()
    journal.append(Kind.LOG, Signal.LOGS, log("b"))
    journal.define("scope", Kind.SCOPE, b"")
    journal.flush()
    journal.sync()
    assert (journal.sequences[0], journal.dropped[0]) == (1, 1)
    assert len(records(journal.folder)) == 1


def test_records_that_threads_make_while_a_journal_is_closed_are_kept_or_counted(made, way):
    for _ in range(20):
        journal = made()
        go = threading.Event()
        made_by = []

        def write(journal=journal, go=go, made_by=made_by):
            count = 0
            while not journal.closed or count % 50:
                journal.append(Kind.LOG, Signal.LOGS, b"x" * 50)
                count += 1
                if count > 20:
                    go.set()
            made_by.append(count)

        threads = [threading.Thread(target=write) for _ in range(3)]
        for thread in threads:
            thread.start()
        go.wait(10)
        journal.close()
        for thread in threads:
            thread.join()
        assert journal.sequences[0] + journal.dropped[0] == sum(made_by)
        assert len(records(journal.folder)) == journal.sequences[0]


def test_killed_in_the_middle_of_beginning_segments_all_that_returned_is_there(tmp_path):
    program = (
        "import sys, os; from pathlib import Path\n"
        "import synapse_otel.journal.writer as w; w.SEGMENT_SIZE = 1 << 14\n"
        "from synapse_otel.journal.creation import create_journal\n"
        "journal, _ = create_journal(Path(sys.argv[1]), 'run', {}, destination='d', budget=1 << 30)\n"
        "number = 0\n"
        "while True:\n"
        "    journal.append(16, 0, b'%d ' % number + b'x' * (number % 3000)); number += 1\n"
        "    os.write(1, b'%d\\n' % number)\n"
    )
    for seed in range(6):
        root = tmp_path / str(seed)
        told = tmp_path / f"told-{seed}"
        with (
            told.open("w") as file,
            subprocess.Popen([sys.executable, "-c", program, str(root)], stdout=file) as process,
        ):
            eventually(lambda told=told, seed=seed: told.stat().st_size > 5_000 + seed * 777)
            process.kill()
        returned = int(told.read_text().rpartition("\n")[0].rpartition("\n")[2])
        [folder] = [path for path in root.iterdir() if not path.name.startswith(".")]
        found = records(folder)
        assert len(found) in {returned, returned + 1}
        assert [int(frame.payload.split()[0]) for frame in found] == list(range(len(found)))
        assert HEADER_SIZE == 24
