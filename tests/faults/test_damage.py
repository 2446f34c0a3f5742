"""A damaged journal through the whole shipper: what is good arrives, what is bad is counted, and nothing stops."""

from __future__ import annotations

import shutil
from itertools import count
from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synapse_otel.journal import creation, frames, writer
from synapse_otel.journal.creation import create_journal
from synapse_otel.journal.cursor import cursor_path, read_cursor, write_cursor
from synapse_otel.journal.folder import RUN_FILE, STATE_FILE, read_run, run_folders, segment_numbers, segment_path
from synapse_otel.journal.frames import FORMAT_VERSION, Kind
from synapse_otel.journal.reader import JournalReader
from synapse_otel.semconv.signal import Signal
from tests.shipping import shipper_of
from tests.sink import attributes, body

pytestmark = pytest.mark.once

RECORDS = 120
quickly = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
REASONS = {"evicted or damaged", "unreadable"}


@pytest.fixture
def whole(tmp_path, monkeypatch):
    """A journal of several small segments with records of all three signals."""
    monkeypatch.setattr(writer, "SEGMENT_SIZE", 1 << 12)
    monkeypatch.setattr(creation, "birth", lambda: "")  # where its end is damaged, its process is to be dead
    journal, state = create_journal(tmp_path / "whole", "run", {"a": 1}, destination="key", budget=1 << 30, keep=True)
    journal.define("scope", Kind.SCOPE, frames.encode([0, "scope"]))
    journal.define("series", Kind.SERIES, frames.encode([1, 0, "gauge", "loss", "1", "", {}]))
    for number in range(RECORDS):
        log = [number + 1, 9, None, None, f"message {number} " + "x" * (number % 90), {}, b"", 0]
        journal.append(Kind.LOG, Signal.LOGS, frames.encode(log))
        journal.append(Kind.SAMPLES, Signal.METRICS, frames.encode([number * 10**7, [1, float(number)]]))
        if number % 10 == 0:
            span = [b"t" * 16, number.to_bytes(8, "big"), b"", 1, "", "span", 1, 1, 2, {}, 0]
            journal.append(Kind.SPAN, Signal.TRACES, frames.encode(span))
    journal.close()
    del state
    return journal.folder


@pytest.fixture
def deliver(place, sink, whole, tmp_path):
    """Delivers a copy of the journal after something was done to it, and gives it back."""
    numbers = count()

    def after(damage=lambda _folder: None):
        folder = tmp_path / f"copy-{next(numbers)}" / whole.name
        shutil.copytree(whole, folder)
        damage(folder)
        sink.requests.clear()
        configuration = place.configuration()
        shipper = shipper_of([], configuration.destination, configuration.key)
        try:
            assert shipper.deliver_once(folder)
        finally:
            shipper.stop()
        cursors = {signal: read_cursor(folder, signal) for signal in Signal}
        assert all(cursor.complete for cursor in cursors.values())
        assert all(cursor.delivered + sum(cursor.dropped.values()) == cursor.sequence for cursor in cursors.values())
        assert {reason for cursor in cursors.values() for reason in cursor.dropped} <= REASONS
        assert cursors[Signal.LOGS].delivered == len(messages(sink))
        shutil.rmtree(folder.parent)
        return cursors

    return after


def messages(sink):
    return [body(record).split()[1] for record in sink.logs() if str(body(record)).startswith("message ")]


def good(folder):
    """Return the messages in the frames that a plain search of the bytes finds whole, whatever is around them."""
    found = []
    for number in segment_numbers(folder):
        data = segment_path(folder, number).read_bytes()
        at = data.find(frames.MARK_BYTES)
        while at != -1:
            header = data[at : at + frames.HEADER_SIZE].ljust(frames.HEADER_SIZE, b"\0")
            _, kind, held, length, check, sequence = frames.HEADER.unpack(header)
            payload = data[at + frames.HEADER_SIZE : at + frames.HEADER_SIZE + length]
            if kind == Kind.LOG and frames.checksum(payload, frames.seed(kind, held, sequence)) == check:
                found.append(frames.DECODERS[Kind.LOG].decode(payload).body.split()[1])
            at = data.find(frames.MARK_BYTES, at + 1)
    return found


def flip(folder, random):
    for _ in range(random.randint(1, 12)):
        path = segment_path(folder, random.choice(segment_numbers(folder)))
        data = bytearray(path.read_bytes())
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        path.write_bytes(data)


def zero(folder, random):
    path = segment_path(folder, random.choice(segment_numbers(folder)))
    data = bytearray(path.read_bytes())
    begin = random.randrange(len(data))
    size = min(random.choice([64, 512, 4096]), len(data) - begin)
    data[begin : begin + size] = bytes(size)
    path.write_bytes(data)


def truncate(folder, random):
    path = segment_path(folder, random.choice(segment_numbers(folder)))
    path.write_bytes(path.read_bytes()[: random.randrange(path.stat().st_size)])


def garbage(folder, random):
    path = segment_path(folder, random.choice(segment_numbers(folder)))
    path.write_bytes(path.read_bytes() + random.randbytes(random.randint(1, 6000)))


def lose(folder, random):
    segment_path(folder, random.choice(segment_numbers(folder))).unlink()


def newer(folder, random):
    """Frames of kinds that nobody knows yet, and fields at the end of those that are known."""
    path = segment_path(folder, random.choice(segment_numbers(folder)))
    data = path.read_bytes()
    kinds = [kind for kind in range(1, 256) if kind not in set(Kind)]
    strange = frames.frame(random.choice(kinds), random.randbytes(random.randrange(300)), random.randrange(256))
    log = frames.frame(Kind.FLUSH, frames.encode([1, "a new field", {"a": 1}]))
    path.write_bytes(data + strange + log)


@pytest.mark.parametrize("damage", [flip, zero, truncate, garbage, lose, newer])
def test_all_good_frames_of_a_damaged_journal_arrive_and_the_rest_is_counted(deliver, sink, damage):
    @quickly
    @given(st.integers(0, 1 << 32))
    def check(seed):
        expected = []

        def do(folder):
            damage(folder, Random(seed))
            expected.extend(good(folder))

        cursors = deliver(do)
        assert sorted(messages(sink)) == sorted(expected)
        logs = cursors[Signal.LOGS]
        # Of what stood behind the last whole frame that tells of numbers, nobody can know.
        assert logs.sequence <= RECORDS
        if damage is not truncate and damage is not lose and damage is not zero and damage is not flip:
            assert (logs.delivered, logs.sequence) == (RECORDS, RECORDS)
        if not logs.killed:
            assert logs.sequence == RECORDS, "the end tells how many there were"

    check()


def test_an_undamaged_journal_arrives_whole(deliver, sink):
    cursors = deliver()
    assert [(cursor.delivered, cursor.dropped, cursor.warnings) for cursor in cursors.values()] == [
        (RECORDS, {}, []),
        (RECORDS, {}, []),
        (12, {}, []),
    ]
    assert messages(sink) == [str(number) for number in range(RECORDS)]


def test_segments_that_have_changed_places_deliver_every_record_once(deliver, sink):
    def swap(folder):
        second, third = segment_path(folder, 2), segment_path(folder, 3)
        data = second.read_bytes()
        second.write_bytes(third.read_bytes())
        third.write_bytes(data)

    cursors = deliver(swap)
    assert sorted(map(int, messages(sink))) == list(range(RECORDS))
    assert [cursor.dropped for cursor in cursors.values()] == [{}, {}, {}]
    uids = [attributes(record)["log.record.uid"] for record in sink.logs()]
    assert len(set(uids)) == len(uids)


@quickly
@given(data=st.binary(max_size=400), seed=st.integers(0, 1 << 32))
def test_a_damaged_state_block_changes_nothing_else(data, seed, deliver, sink):
    def damage(folder):
        block = bytearray((folder / STATE_FILE).read_bytes())
        random = Random(seed)
        at = random.randrange(len(block))
        block[at : at + len(data)] = data
        (folder / STATE_FILE).write_bytes(block[: random.choice([len(block), at, len(block) + 100])])

    deliver(damage)
    assert len(messages(sink)) == RECORDS


@quickly
@given(data=st.binary(max_size=300), seed=st.integers(0, 1 << 32), kind=st.sampled_from(["bytes", "flip", "cut"]))
def test_a_damaged_cursor_sends_again_rather_than_too_little(data, seed, kind, deliver, sink):
    def damage(folder):
        random = Random(seed)
        for signal in Signal:
            cursor = read_cursor(folder, signal)
            cursor.segment, cursor.offset = 1, 0
            write_cursor(folder, signal, cursor)
            path = cursor_path(folder, signal)
            good_bytes = bytearray(path.read_bytes())
            at = random.randrange(len(good_bytes))
            if kind == "flip":
                good_bytes[at] ^= 1 << random.randrange(8)
            path.write_bytes({"bytes": data, "flip": bytes(good_bytes), "cut": bytes(good_bytes[:at])}[kind])

    deliver(damage)
    assert sorted(map(int, messages(sink))) == list(range(RECORDS))


@pytest.mark.parametrize("content", [None, b"", b"{", b'{"journal":"\xff"}', b"[" * 10_000, b"null", b"\0" * 200])
def test_a_run_whose_description_is_lost_is_found_and_told_by_its_segments(deliver, sink, whole, content):
    before = read_run(whole)

    def damage(folder):
        (folder / RUN_FILE).unlink()
        if content is not None:
            (folder / RUN_FILE).write_bytes(content)
        assert list(run_folders(folder.parent)) == [folder]
        run = read_run(folder)
        assert (run.journal, run.name, run.destination) == (before.journal, before.name, before.destination)
        assert run.keep, "nobody knows whether somebody wants to look at it"

    deliver(damage)
    assert len(messages(sink)) == RECORDS


def test_a_journal_of_a_newer_format_is_left_as_it_is(deliver, sink):
    def damage(folder):
        run = read_run(folder)
        newer_run = msgspec.structs.replace(run, version=FORMAT_VERSION + 1)
        (folder / RUN_FILE).write_bytes(msgspec.json.encode(newer_run))

    with pytest.raises(OSError, match="newer format"):
        deliver(damage)
    assert sink.requests == []


def test_headers_in_great_number_that_each_claim_the_rest_are_read_in_bounded_work(tmp_path: Path, monkeypatch):
    """Each could be the beginning of a whole frame; to look at every one of them whole would read terabytes."""
    work = 0
    before = JournalReader._is_whole

    def counted(self, header, at, size):
        nonlocal work
        vain = self._vain
        found = before(self, header, at, size)
        work += self._vain - vain
        return found

    monkeypatch.setattr(JournalReader, "_is_whole", counted)
    size = 4 << 20
    claim = frames.HEADER.pack(frames.MARK, Kind.LOG, 1, size // 2, 1, 1)
    record = frames.frame(Kind.LOG, b"x", 1, 0)
    segment_path(tmp_path, 1).write_bytes((record + claim) * (size // 50) + claim * 1_000)
    reader = JournalReader(tmp_path)
    found = 0
    while read := reader.read(ended=True):
        found += len(read)
    reader.close()
    assert found == size // 50, "the good frames between are found all the same"
    assert work < 16 * size
