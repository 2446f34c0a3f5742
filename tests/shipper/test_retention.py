"""What is kept of all runs: delivered ones for a while, waiting ones within a budget, locks while they are of use."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from synapse_otel.journal import frames
from synapse_otel.journal.account import account_of
from synapse_otel.journal.creation import create_journal
from synapse_otel.journal.cursor import cursor_path, read_cursor
from synapse_otel.journal.files.locks import FileLock
from synapse_otel.journal.folder import folder_size
from synapse_otel.journal.frames import Kind
from synapse_otel.journal.writer import JournalWriter
from synapse_otel.otlp.destination import Destination, Endpoint
from synapse_otel.runs import emitted_records
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper.configuration import Limits
from synapse_otel.shipper.retention import Retention
from tests.shipping import shipper_of
from tests.sink import Answer, Sink, body

pytestmark = pytest.mark.once

MEBIBYTE = 1 << 20
DAY = 86_400.0


def destination(sink: Sink) -> Destination:
    return Destination(**{name: Endpoint(url=f"{sink.url}/v1/{name}") for name in ("logs", "metrics", "traces")})


def write(root: Path, name: str, records: int, *, key: str = "key", keep: bool = False) -> JournalWriter:
    """Write a journal with records of about a kilobyte."""
    writer, _ = create_journal(root, name, {}, destination=key, budget=1 << 30, keep=keep)
    for number in range(records):
        log = frames.encode([time.time_ns(), 9, None, None, f"{name} {number} " + "x" * 1000, {}, b"", 0])
        writer.append(Kind.LOG, Signal.LOGS, log)
    return writer


def written(root: Path, name: str, records: int, **options) -> Path:
    writer = write(root, name, records, **options)
    writer.close()
    return writer.folder


def deliver(sink: Sink, *folders: Path) -> None:
    shipper = shipper_of([], destination(sink), "key")
    for folder in folders:
        assert shipper.deliver_once(folder)
    shipper.stop()


def look_after(root: Path, **limits) -> list[str]:
    said: list[str] = []
    Retention([root], "key", Limits(**limits), said.append).look_after({})
    return said


def account(folder: Path):
    found = account_of([folder], emitted_records(folder))
    assert found.delivered + found.pending + found.lost == found.emitted
    return found


# --- delivered runs -----------------------------------------------------------------------------------


def test_delivered_runs_go_by_their_age_and_waiting_ones_never(tmp_path, sink):
    old, young, waiting = (written(tmp_path, name, 1) for name in ("old", "young", "waiting"))
    deliver(sink, old, young)
    for folder in (old, waiting):
        for path in (folder, *folder.iterdir()):
            os.utime(path, (time.time() - 40 * DAY,) * 2)
    look_after(tmp_path, kept_seconds=30 * DAY)
    assert not old.exists()
    assert young.exists()
    assert waiting.exists()


def test_delivered_runs_are_counted_whoever_they_were_for(tmp_path, sink):
    first, second, third = (written(tmp_path, f"run-{n}", 1, key=f"key-{n}") for n in range(3))
    deliver(sink, first, second, third)
    look_after(tmp_path, kept_runs=1)
    assert [folder.exists() for folder in (first, second, third)].count(True) == 1
    look_after(tmp_path, kept_runs=0)
    assert not list(tmp_path.glob("2*"))


def test_a_run_that_is_to_be_kept_is_kept(tmp_path, sink):
    kept = written(tmp_path, "kept", 1, keep=True)
    deliver(sink, kept)
    look_after(tmp_path, kept_runs=0, kept_seconds=0)
    assert list(kept.glob("*.segment"))


# --- the budget ---------------------------------------------------------------------------------------


def test_beyond_the_budget_the_oldest_segments_go_and_are_counted(tmp_path, sink):
    older, newer = written(tmp_path, "a-older", 10_000), written(tmp_path, "b-newer", 3_000)
    before = folder_size(older) + folder_size(newer)
    said = look_after(tmp_path, total_bytes=before - 5 * MEBIBYTE)
    assert before - 5 * MEBIBYTE - 4 * MEBIBYTE <= folder_size(older) + folder_size(newer) <= before - 5 * MEBIBYTE
    assert len(said) == 1
    assert older.name in said[0]
    before_delivery = account(older)
    assert before_delivery.pending > 0
    assert before_delivery.pending + before_delivery.lost == 10_000

    deliver(sink, older, newer)
    assert account(newer).delivered == 3_000
    found = account(older)
    assert found.dropped == before_delivery.dropped, "what is gone was not called pending before"
    assert found.pending == 0
    assert found.emitted == 10_000
    assert found.dropped == {"evicted or damaged": 10_000 - found.delivered}
    arrived = [int(body(record).split()[1]) for record in sink.logs() if body(record).startswith("a-older")]
    assert arrived == list(range(10_000 - found.delivered, 10_000)), "the newest, in order"


def test_when_that_is_not_enough_whole_runs_go_and_every_record_is_counted(tmp_path, sink):
    oldest = written(tmp_path, "a-oldest", 3_000)
    other = written(tmp_path, "b-other", 2_000, key="nobody serves it any more")
    newest = written(tmp_path, "c-newest", 1_000)
    look_after(tmp_path, total_bytes=folder_size(newest))
    assert [folder_size(folder) > 0 for folder in (oldest, other, newest)] == [False, False, True]
    for folder, records in ((oldest, 3_000), (other, 2_000)):
        found = account(folder)
        assert (found.emitted, found.delivered, found.pending) == (records, 0, 0)
        assert found.dropped == {"evicted or damaged": records}
        assert found.complete
    deliver(sink, newest)
    assert account(newest).delivered == 1_000
    look_after(tmp_path, kept_runs=0)
    assert not list(tmp_path.glob("2*"))


def test_a_live_job_keeps_the_segment_that_it_writes(tmp_path, sink):
    writer = write(tmp_path, "live", 10_000)
    look_after(tmp_path, total_bytes=0)
    assert len(list(writer.folder.glob("*.segment"))) == 1
    writer.append(Kind.LOG, Signal.LOGS, frames.encode([1, 9, None, None, "after", {}, b"", 0]))
    writer.close()
    deliver(sink, writer.folder)
    assert body(sink.logs()[-1]) == "after"
    found = account(writer.folder)
    assert found.emitted == 10_001
    assert found.pending == 0


def test_what_is_delivered_and_kept_goes_before_what_waits(tmp_path, sink):
    waiting = written(tmp_path, "a-waiting", 3_000)
    kept = written(tmp_path, "b-kept", 3_000, keep=True)
    deliver(sink, kept)
    look_after(tmp_path, total_bytes=folder_size(waiting))
    assert not list(kept.glob("*.segment"))
    assert account(waiting).pending == 3_000


def test_a_running_shipper_gives_up_a_journal_that_it_has_in_hand_and_cannot_deliver(tmp_path, sink):
    sink.answer = lambda _request: Answer(503)
    folder = written(tmp_path, "run", 3_000)
    said: list[str] = []
    shipper = shipper_of(
        [tmp_path], destination(sink), "key", interval_seconds=5, say=said.append, limits=Limits(total_bytes=0)
    )
    shipper._scan()
    shipper._threads[Signal.LOGS].deliver()
    assert read_cursor(folder, Signal.LOGS).attempts == 1
    shipper._retain()
    shipper._scan()
    assert account(folder).dropped == {"evicted or damaged": 3_000}
    assert shipper._journals.in_hand == []
    shipper.stop()
    assert folder_size(folder) == 0


def test_a_run_whose_description_is_damaged_takes_part_in_the_budget(tmp_path):
    folder = written(tmp_path, "run", 3_000)
    (folder / "run.json").write_bytes(b"\0" * 100)
    look_after(tmp_path, total_bytes=0)
    assert folder_size(folder) == 0


# --- locks --------------------------------------------------------------------------------------------


def test_locks_and_logs_of_shippers_that_nobody_needs_are_deleted(tmp_path):
    written(tmp_path, "waits", 1, key="waited-for")
    for key in ("key", "waited-for", "running", "young", "old"):
        for kind in ("lock", "log"):
            path = tmp_path / f"shipper-{key}.{kind}"
            path.touch()
            if key != "young":
                os.utime(path, (1, 1))
    lock = FileLock(tmp_path / "shipper-running.lock")
    assert lock.acquire()
    look_after(tmp_path)
    lock.release()
    left = {path.name.removeprefix("shipper-") for path in tmp_path.glob("shipper-*")}
    keys = ("key", "waited-for", "running", "young")
    assert left == {f"{key}.{kind}" for key in keys for kind in ("lock", "log")}


def test_a_lock_whose_file_is_deleted_while_it_is_taken_is_not_held(tmp_path, monkeypatch):
    path, another = tmp_path / "shipper.lock", tmp_path / "another"
    open_file = os.open

    def open_then_deleted(name, *arguments):
        descriptor = open_file(name, *arguments)
        another.rename(path)  # deleted, and made anew by another, who may lock it
        return descriptor

    another.touch()
    lock = FileLock(path)
    monkeypatch.setattr(os, "open", open_then_deleted)
    assert not lock.acquire()
    monkeypatch.undo()
    assert lock.acquire()
    assert not FileLock(path).acquire()
    lock.release()


def test_the_age_of_a_delivered_run_counts_from_its_delivery(tmp_path, sink):
    folder = written(tmp_path, "run", 1)
    os.utime(folder / "run.json", (1, 1))
    deliver(sink, folder)
    look_after(tmp_path, kept_seconds=60)
    assert folder.exists()
    for signal in Signal:
        os.utime(cursor_path(folder, signal), (1, 1))
    look_after(tmp_path, kept_seconds=60)
    assert not folder.exists()
