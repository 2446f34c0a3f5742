"""Delivered runs stay whole within a budget of their own, and never at the expense of what is pending."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from synapse_otel.journal import frames
from synapse_otel.journal.account import account_of
from synapse_otel.journal.creation import create_journal
from synapse_otel.journal.folder import STATE_FILE, folder_size, read_run, segment_numbers
from synapse_otel.journal.frames import Kind
from synapse_otel.journal.kept import DOUBT_SECONDS, delivered_segments, segments_size
from synapse_otel.journal.state_block import BLOCK_SIZE
from synapse_otel.journal.summary import read_summary
from synapse_otel.journal.writer import JournalWriter
from synapse_otel.otlp.destination import Destination, Endpoint
from synapse_otel.runs import Recording, RunState, emitted_records
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper.configuration import Limits
from synapse_otel.shipper.retention import Retention
from tests.faults.test_disk import small_disk
from tests.shipping import shipper_of
from tests.sink import Sink, body

pytestmark = pytest.mark.once

MEBIBYTE = 1 << 20
SEVERAL_SEGMENTS = 10_000
"""Records of a kilobyte: three segments."""


def write(root: Path, name: str, records: int, **options: bool) -> JournalWriter:
    writer, _ = create_journal(root, name, {}, destination="key", budget=1 << 30, **{"retain": True, **options})
    append(writer, records)
    return writer


def append(writer: JournalWriter, records: int) -> None:
    for number in range(records):
        log = frames.encode([time.time_ns(), 9, None, None, f"{writer.run.name} {number} " + "x" * 1000, {}, b"", 0])
        writer.append(Kind.LOG, Signal.LOGS, log)


def written(root: Path, name: str, records: int, **options: bool) -> Path:
    writer = write(root, name, records, **options)
    writer.close()
    return writer.folder


def killed(root: Path, name: str) -> Path:
    """Return the journal of a process that did not end it: a hundred records."""
    child = os.fork()
    if not child:
        write(root, name, 100)
        os._exit(0)
    os.waitpid(child, 0)
    [folder] = root.iterdir()
    return folder


def deliver(sink: Sink, *folders: Path) -> None:
    destination = Destination(**{name: Endpoint(url=f"{sink.url}/v1/{name}") for name in ("logs", "metrics", "traces")})
    shipper = shipper_of([], destination, "key")
    for folder in folders:
        shipper.deliver_once(folder)
    shipper.stop()


def look_after(root: Path, **limits: float) -> None:
    Retention([root], "key", Limits(**limits), print).look_after({})


def test_delivered_runs_stay_whole_and_the_oldest_goes_beyond_the_budget(tmp_path: Path, sink: Sink) -> None:
    oldest, middle, newest = (written(tmp_path, name, 1_000) for name in ("a", "b", "c"))
    deliver(sink, oldest, middle, newest)
    look_after(tmp_path, kept_bytes=folder_size(oldest) * 3)
    assert all(Recording.read(folder).missing == 0 for folder in (oldest, middle, newest))
    look_after(tmp_path, kept_bytes=folder_size(oldest) * 5 // 2)
    assert [len(Recording.read(folder).logs) for folder in (oldest, middle, newest)] == [0, 1_000, 1_000]
    gone = Recording.read(oldest)
    assert (gone.missing, gone.account.delivered, gone.account.lost) == (1_000, 1_000, 0)
    assert read_summary(oldest) is not None


def test_without_a_budget_nothing_stays_and_a_run_that_is_to_be_kept_does(tmp_path: Path, sink: Sink) -> None:
    usual, kept = written(tmp_path, "usual", 1), written(tmp_path, "kept", 1, keep=True)
    deliver(sink, usual, kept)
    look_after(tmp_path, kept_bytes=0)
    assert [len(segment_numbers(folder)) for folder in (usual, kept)] == [0, 1]


def test_of_a_live_run_only_what_is_delivered_goes(tmp_path: Path, sink: Sink) -> None:
    writer = write(tmp_path, "live", SEVERAL_SEGMENTS)
    deliver(sink, writer.folder)
    append(writer, SEVERAL_SEGMENTS)  # pending
    delivered = delivered_segments(writer.folder)
    assert delivered == segment_numbers(writer.folder)[: len(delivered)]
    assert len(delivered) > 1
    budget = segments_size(writer.folder, delivered[1:])
    look_after(tmp_path, kept_bytes=budget)
    assert delivered_segments(writer.folder) == delivered[1:], "the oldest one was enough"
    look_after(tmp_path, kept_bytes=0)
    assert delivered_segments(writer.folder) == []
    writer.close()
    deliver(sink, writer.folder)
    found = account_of([writer.folder], emitted_records(writer.folder))
    assert (found.delivered, found.lost) == (2 * SEVERAL_SEGMENTS, 0)
    assert len({body(record) for record in sink.logs()}) == SEVERAL_SEGMENTS, "two of each text"


def test_a_run_that_waits_loses_nothing_to_those_that_are_kept(tmp_path: Path, sink: Sink) -> None:
    kept, waiting = written(tmp_path, "a-kept", 3_000), written(tmp_path, "b-waiting", 3_000)
    deliver(sink, kept)
    look_after(tmp_path, kept_bytes=1 << 30, total_bytes=folder_size(waiting))
    assert segment_numbers(kept) == []
    assert account_of([waiting], emitted_records(waiting)).pending == 3_000


def test_kept_runs_take_at_most_half_of_the_free_space(tmp_path: Path, sink: Sink) -> None:
    with small_disk(tmp_path, "tmpfs") as disk:  # of 8 MiB
        first, second = written(disk, "a", 2_000), written(disk, "b", 1_000)
        deliver(sink, first, second)
        look_after(disk, kept_bytes=1 << 30)
        assert [len(segment_numbers(folder)) for folder in (first, second)] == [1, 1]
        (disk / "other").write_bytes(bytes(3 * MEBIBYTE))
        look_after(disk, kept_bytes=1 << 30)
        assert [len(segment_numbers(folder)) for folder in (first, second)] == [0, 1]


def test_on_a_full_disk_a_job_takes_the_space_of_delivered_runs(tmp_path: Path, sink: Sink) -> None:
    with small_disk(tmp_path, "tmpfs") as disk:
        kept = written(disk, "kept", 3_000)
        deliver(sink, kept)
        (disk / "other").write_bytes(bytes(3 * MEBIBYTE))
        pending = written(disk, "pending", 3_000)
        assert segment_numbers(kept) == []
        assert account_of([pending], emitted_records(pending)).pending == 3_000


def test_a_killed_run_takes_no_more_space_than_its_records(tmp_path: Path, sink: Sink) -> None:
    folder = killed(tmp_path, "killed")
    deliver(sink, folder)
    assert folder_size(folder) > 4 * MEBIBYTE - 4096
    look_after(tmp_path, kept_bytes=1 << 30)
    assert 100 * 1_000 < folder_size(folder) < 100 * 1_200
    assert (folder / STATE_FILE).stat().st_size == 0
    found = Recording.read(folder)
    assert (len(found.logs), found.missing, found.damage.places, found.state) == (100, 0, 0, RunState.CRASHED)


def test_what_a_process_may_still_write_to_stays_as_it_is(tmp_path: Path, sink: Sink) -> None:
    """This process has closed its journal, and lives."""
    folder = written(tmp_path, "ended", 1)
    deliver(sink, folder)
    look_after(tmp_path, kept_bytes=1 << 30)
    assert (folder / STATE_FILE).stat().st_size == BLOCK_SIZE


def test_the_last_segment_of_a_process_that_cannot_be_seen_stays_for_a_day(tmp_path: Path, sink: Sink) -> None:
    folder = killed(tmp_path, "elsewhere")
    run = (folder / "run.json").read_text(encoding="utf-8")
    birth = read_run(folder).birth
    (folder / "run.json").write_text(run.replace(birth, f"another machine {birth}"), encoding="utf-8")
    deliver(sink, folder)
    look_after(tmp_path, kept_bytes=0)
    assert segment_numbers(folder) == [1]
    for cursor in folder.glob("cursor-*.json"):
        os.utime(cursor, (time.time() - DOUBT_SECONDS - 60,) * 2)
    look_after(tmp_path, kept_bytes=0)
    assert segment_numbers(folder) == []
