"""A process that was taken for dead, and lives: its lock was lost, and it is not to be seen."""

from __future__ import annotations

from threading import Thread

import pytest

from synapse_otel.journal import liveness
from synapse_otel.journal.account import account_of
from synapse_otel.journal.creation import create_journal
from synapse_otel.journal.cursor import read_cursor
from synapse_otel.journal.folder import read_run, segment_numbers
from synapse_otel.journal.frames import Kind, encode
from synapse_otel.otlp.destination import Destination, Endpoint
from synapse_otel.runs import emitted_records
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper import claims as journals
from synapse_otel.shipper import writer_process
from synapse_otel.shipper.claimed_journal import ClaimedJournal
from tests.eventually import eventually
from tests.shipping import shipper_of
from tests.sink import body


@pytest.fixture
def shipper(sink, tmp_path):
    urls = {name: Endpoint(url=f"{sink.url}/v1/{name}") for name in ("logs", "metrics", "traces")}
    made = shipper_of([tmp_path], Destination(**urls), "key", interval_seconds=0.5, say=print)
    yield made
    made.stop()


def log(journal, text):
    journal.append(Kind.LOG, Signal.LOGS, encode([1, 9, "INFO", None, text, {}, b"", 0]))


def bodies(sink):
    return [body(record) for record in sink.logs()]


def lose_the_lock(journal):
    journal._alive.release()


def is_complete(journal):
    return all(read_cursor(journal.folder, signal).complete for signal in Signal)


def test_one_pass_delivers_what_it_has_written_since(out_of_sight, sink, journal, shipper):
    log(journal, "before")
    lose_the_lock(journal)
    assert shipper.deliver_once(journal.folder)
    assert is_complete(journal)
    assert read_cursor(journal.folder, Signal.LOGS).killed
    for number in range(3):
        log(journal, f"after {number}")
        assert shipper.deliver_once(journal.folder)
        account = account_of([journal.folder], emitted_records(journal.folder))
        assert [account.pending, account.lost] == [0, 0], "sync does not stay at a number"
    journal.close()
    assert shipper.deliver_once(journal.folder)
    assert bodies(sink) == ["before", "after 0", "after 1", "after 2"]
    assert not read_cursor(journal.folder, Signal.LOGS).killed


def test_a_shipper_that_runs_takes_it_back_by_itself(out_of_sight, sink, journal, shipper, monkeypatch):
    monkeypatch.setattr(journals, "_DOUBT_SECONDS", 0.1)
    log(journal, "before")
    lose_the_lock(journal)
    running = Thread(target=shipper.run, kwargs={"idle_seconds": None})
    running.start()
    try:
        eventually(lambda: is_complete(journal))
        assert segment_numbers(journal.folder), "it may be written to"
        log(journal, "after")
        sink.wait(lambda: bodies(sink) == ["before", "after"])
        journal.close()
        eventually(lambda: is_complete(journal) and not segment_numbers(journal.folder))
    finally:
        shipper.stop_soon()
        running.join()


def test_what_it_has_written_since_is_not_deleted_as_delivered(out_of_sight, journal, shipper):
    log(journal, "before")
    lose_the_lock(journal)
    assert shipper.deliver_once(journal.folder)
    log(journal, "after")
    taken = ClaimedJournal.take(journal.folder, interval_seconds=1)
    taken.clean()  # as the shipper does now and then, also before anything was read
    assert segment_numbers(journal.folder)
    taken.close()


def test_one_that_is_seen_to_live_is_alive_without_a_lock_until_it_closes_its_journal(journal):
    assert liveness.lives(read_run(journal.folder)) is True
    lose_the_lock(journal)
    assert liveness.is_alive(journal.folder)
    journal.close()
    assert not liveness.is_alive(journal.folder)


@pytest.mark.parametrize(
    ("birth", "found"),
    [
        (lambda own: own, True),
        (lambda own: own.rpartition(" ")[0] + " 1", False),
        (lambda own: "another-boot" + own, None),
        (lambda _own: "", None),
    ],
    ids=["this one", "another program", "another boot", "not told"],
)
def test_only_a_process_that_can_be_seen_is_known_to_live_or_to_be_gone(tmp_path, monkeypatch, birth, found):
    monkeypatch.setattr("synapse_otel.journal.creation.birth", lambda: birth(liveness.birth()))
    journal, _ = create_journal(tmp_path, "run", {}, destination="key", budget=1 << 26)
    assert liveness.lives(read_run(journal.folder)) is found
    journal.close()


def test_a_folder_out_of_reach_says_nothing_of_the_process(journal, monkeypatch):
    taken = ClaimedJournal.take(journal.folder, interval_seconds=1)

    def stale(*_):
        raise OSError(116, "Stale file handle")

    lose_the_lock(journal)
    monkeypatch.setattr(writer_process, "is_alive", stale)
    taken.watch()
    assert not taken.ended
    taken.close()
