"""The state block's slots, and the locks: what another process sees, and what is left when one dies."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading

import pytest

from synapse_otel.journal.files.locks import FileLock, is_locked
from synapse_otel.journal.memory.slots import SLOT_SIZE
from synapse_otel.journal.state_block import (
    BLOCK_SIZE,
    SLOT_COUNT,
    Progress,
    SlotKind,
    SlotValue,
    StateBlock,
    read_block,
)

JOB = b"job-0001"
OTHER = b"job-0002"


def home():
    return memoryview(bytearray(BLOCK_SIZE))


def seen(buffer):
    return {(slot.kind, slot.job, slot.text): slot.value for slot in read_block(buffer)}


def test_a_slot_holds_two_copies_and_a_torn_one_leaves_the_older():
    block, buffer = StateBlock(), home()
    block.move(buffer)
    slot = block.progress(JOB, "train")
    slot.set(1, 10, 100)
    slot.set(2, 10, 200)
    key = (SlotKind.PROGRESS, JOB, "train")
    assert seen(buffer)[key].current == 2
    whole = bytes(buffer)
    for copy, other in ((0, 1), (1, 0)):
        for byte in range(0, 56, 5):
            buffer[:] = whole
            buffer[slot.offset + 128 + copy * 64 + byte] ^= 0xFF
            newest_is_torn = copy == (2 & 1)
            assert seen(buffer)[key].current == (1 if newest_is_torn else 2), (copy, byte, other)
    buffer[:] = whole
    buffer[slot.offset + 128 : slot.offset + 256] = bytes(128)
    assert key not in seen(buffer)


def test_items_are_exact_over_passes_and_corrections():
    slot = StateBlock().progress(JOB, "x")
    for current in (1, 2, 5, 4, 6, 0, 3):
        slot.set(current, 6, 1)
    found = slot.value()
    assert (found.current, found.items) == (3, 9)


def test_what_is_in_use_moves_and_what_has_ended_is_left_behind_as_it_was():
    block, first, second = StateBlock(), home(), home()
    kept, ended = block.progress(JOB, "a"), block.progress(OTHER, "b")
    counter = block.counter(SlotKind.MESSAGES, JOB, "info")
    counter.add(3)
    block.move(first)
    kept.set(5, 10, 1)
    ended.set(7, 7, 1)
    block.end(OTHER, 1)
    block.move(second)
    kept.set(6, 10, 2)
    counter.add()
    ended.set(9, 9, 9)
    assert seen(first)[SlotKind.PROGRESS, OTHER, "b"].current == 7, "the journal before still has to tell"
    assert seen(second).keys() == {(SlotKind.PROGRESS, JOB, "a"), (SlotKind.MESSAGES, JOB, "info")}
    assert seen(second)[SlotKind.PROGRESS, JOB, "a"].current == 6
    assert seen(second)[SlotKind.MESSAGES, JOB, "info"] == 4
    assert seen(first)[SlotKind.PROGRESS, JOB, "a"].current == 5


def test_slots_beyond_the_last_count_unseen_and_come_free_when_a_job_has_ended():
    block, buffer = StateBlock(), home()
    block.move(buffer)
    for number in range(SLOT_COUNT):
        block.progress(JOB, f"{number}").set(number, 1000, 1)
    unseen = block.progress(OTHER, "x")
    unseen.set(1, 2, 3)
    assert (OTHER, "x") not in {(job, text) for _, job, text in seen(buffer)}
    assert unseen.value().current == 1
    block.end(JOB, 1)
    block.progress(OTHER, "x").set(2, 2, 3)
    assert seen(buffer) == {(SlotKind.PROGRESS, OTHER, "x"): block.progress(OTHER, "x").value()}


def test_a_slot_that_was_released_writes_into_nobody_elses():
    block, buffer = StateBlock(), home()
    block.move(buffer)
    old = block.progress(JOB, "old")
    old.set(1, 2, 3)
    block.release(JOB)
    new = block.progress(OTHER, "new")
    new.set(1, 9, 3)
    for number in range(20):
        old.set(number, 100, 4)
    assert {key[2]: value.current for key, value in seen(buffer).items()} == {"new": 1}
    assert new.value().limit == 9


def test_after_a_fork_the_child_begins_at_zero_and_leaves_the_parents_block_alone():
    block, buffer = StateBlock(), home()
    block.move(buffer)
    slot, counter = block.progress(JOB, "a"), block.counter(SlotKind.EVENTS, JOB, "e")
    slot.set(5, 10, 1)
    counter.add(7)
    before = bytes(buffer)
    block.restart()
    slot.set(1, 10, 2)
    counter.add()
    assert bytes(buffer) == before
    mine = home()
    block.move(mine)
    assert seen(mine)[SlotKind.EVENTS, JOB, "e"] == 1
    assert seen(mine)[SlotKind.PROGRESS, JOB, "a"].items == 1


def test_counters_are_exact_from_threads_also_as_a_reader_sees_them():
    block, buffer = StateBlock(), home()
    block.move(buffer)
    counter = block.counter(SlotKind.MESSAGES, JOB, "info")
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=lambda: [counter.add() for _ in range(20_000)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert counter.value() == 80_000
    assert seen(buffer)[SlotKind.MESSAGES, JOB, "info"] == 80_000


def test_long_texts_and_damaged_blocks_are_no_error():
    block, buffer = StateBlock(), home()
    block.move(buffer)
    block.progress(JOB, "ü" * 200).set(1, 2, 3)
    block.progress(JOB, "\ud800").set(1, 2, 3)
    assert len(seen(buffer)) == 2
    for size in (0, 1, SLOT_SIZE - 1, SLOT_SIZE, BLOCK_SIZE - 1):
        assert all(isinstance(slot, SlotValue) for slot in read_block(buffer[:size]))
    for fill in (1, 2, 0xFF):
        assert all(isinstance(slot, SlotValue) for slot in read_block(memoryview(bytes([fill]) * BLOCK_SIZE)))


def test_what_a_progress_says():
    found = Progress(current=5, limit=10, time=3 * 10**9, start_time=10**9, start_current=1, items=5)
    assert (found.ratio, found.rate, found.eta_seconds) == (0.5, 2, 2.5)
    assert Progress(10, 10, 1, 1, 0, 10).eta_seconds == 0
    assert Progress(1, 10, 1, 1, 1, 1).eta_seconds is None


# --- locks --------------------------------------------------------------------------------------------


def other_process_says(path):
    program = (
        "import sys; from pathlib import Path; from synapse_otel.journal.files.locks import is_locked\n"
        "print(is_locked(Path(sys.argv[1])))"
    )
    return subprocess.run([sys.executable, "-c", program, path], check=True, capture_output=True, text=True).stdout


def test_a_lock_is_seen_by_another_process_and_by_this_one_without_letting_go(tmp_path):
    lock = FileLock(tmp_path / "lock")
    assert lock.acquire()
    assert is_locked(tmp_path / "lock")
    assert other_process_says(tmp_path / "lock") == "True\n"
    second = FileLock(tmp_path / "lock")
    assert not second.acquire()
    second.release()
    assert other_process_says(tmp_path / "lock") == "True\n"
    lock.release()
    assert not is_locked(tmp_path / "lock")
    assert other_process_says(tmp_path / "lock") == "False\n"
    assert second.acquire()
    second.release()


def test_a_lock_that_is_missing_is_an_error_of_its_own(tmp_path):
    with pytest.raises(FileNotFoundError):
        is_locked(tmp_path / "missing")


def test_a_lock_is_not_inherited_by_the_child_of_a_fork_and_not_lost_by_its_end(tmp_path):
    lock = FileLock(tmp_path / "lock")
    lock.acquire()

    def child():
        assert is_locked(tmp_path / "lock")
        assert not FileLock(tmp_path / "lock").acquire()
        lock.release()  # what `abandon` does
        assert is_locked(tmp_path / "lock")
        os._exit(0)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join()
    assert process.exitcode == 0
    assert other_process_says(tmp_path / "lock") == "True\n"
    lock.release()


def test_a_lock_is_released_when_its_process_is_killed(tmp_path):
    program = (
        "import sys; from pathlib import Path; from synapse_otel.journal.files.locks import FileLock\n"
        "lock = FileLock(Path(sys.argv[1])); print(lock.acquire(), flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, tmp_path / "lock"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "True\n"
        assert is_locked(tmp_path / "lock")
        process.kill()
    assert not is_locked(tmp_path / "lock")
