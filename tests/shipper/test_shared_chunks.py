"""The pipelines of a journal read it together: each gets what it would read alone, and a chunk is read once."""

from __future__ import annotations

import os
import shutil
from itertools import permutations
from pathlib import Path
from tempfile import mkdtemp
from threading import Barrier, Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synapse_otel.journal import frames
from synapse_otel.journal.folder import segment_path
from synapse_otel.journal.frames import HEADER_SIZE, MARK_BYTES, Kind
from synapse_otel.journal.reader import LOG_KINDS, Frame, JournalReader, Position
from synapse_otel.otlp.outcome import Accepted, Outcome, Retry
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper.claimed_journal import ClaimedJournal
from synapse_otel.shipper.pipelines.poison_records import Tally
from synapse_otel.shipper.pipelines.shared_chunks import SHARED_BYTES, SharedChunks

pytestmark = pytest.mark.once

PIPELINES = len(Signal)
KINDS = [Kind.BRIEF, Kind.BRIEF, Kind.BRIEF, Kind.LOG, Kind.SAMPLES, Kind.SPAN, Kind.FLUSH]
PIECES = st.one_of(
    st.builds(
        lambda kind, size, count, sequence: frames.frame(kind, b"x" * size, count, sequence),
        st.sampled_from(KINDS),
        st.sampled_from([0, 1, 40, 90, 300, 5_000]),
        st.integers(0, 3),
        st.integers(0, 1_000),
    ),
    st.builds(bytes, st.integers(1, 60)),
    st.binary(min_size=1, max_size=40),
    st.builds(lambda cut: frames.frame(Kind.BRIEF, b"y" * 60, 1, 1)[:cut], st.integers(1, 80)),
)
SEGMENTS = st.lists(st.lists(PIECES, max_size=25).map(b"".join), min_size=1, max_size=3)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("grow"), st.integers(1, 4_000), st.just(0)),
        st.tuples(st.just("read"), st.integers(0, 2), st.sampled_from([30, 400, 1 << 13, 1 << 18])),
        st.tuples(st.just("restart"), st.integers(0, 2), st.just(0)),
    ),
    max_size=40,
)


class Growing:
    """A journal of which more and more is there: a segment when all before it is."""

    def __init__(self, folder: Path, segments: list[bytes]) -> None:
        self.folder = folder
        self._segments = segments
        self.grow(0)

    def grow(self, size: int) -> None:
        for number, data in enumerate(self._segments, start=1):
            path = segment_path(self.folder, number)
            there = path.stat().st_size if path.exists() else 0
            with path.open("ab") as file:
                file.write(data[there : there + size])
            size -= len(data[there : there + size])
            if path.stat().st_size < len(data) or size <= 0:
                return


class Readers:
    """One reader a pipeline, and what it has read."""

    def __init__(self, folder: Path, chunks: SharedChunks | None) -> None:
        self._folder = folder
        self._chunks = chunks
        self._readers = [self._reader(Position()) for _ in range(PIPELINES)]
        self.found: list[list[Frame]] = [[] for _ in range(PIPELINES)]
        self.restarted: set[int] = set()

    def _reader(self, position: Position) -> JournalReader:
        reader = JournalReader(self._folder, position)
        if self._chunks is not None:
            reader.read_at = self._chunks.reader(self._folder)
        return reader

    def read(self, which: int, limit: int, *, ended: bool = False) -> bool:
        found = self._readers[which].read(ended=ended, limit=limit, skip=LOG_KINDS)
        self.found[which] += found
        return bool(found)

    def restart(self, which: int) -> None:
        """Read on from the beginning of the segment, as a shipper does that takes over."""
        reader = self._readers[which]
        reader.close()
        segment = reader.position.segment
        self._readers[which] = self._reader(Position(segment, 0))
        self.found[which] = [frame for frame in self.found[which] if frame.after.segment < segment]
        self.restarted.add(which)

    def finish(self) -> None:
        for which, reader in enumerate(self._readers):
            while self.read(which, 1 << 18, ended=True):
                pass
            reader.close()

    def outcome(self, which: int) -> tuple[object, ...]:
        """Return what does not depend on how much was read at once: of what is skipped that is the last frame only."""
        found, reader = self.found[which], self._readers[which]
        kept = [frame for frame in found if frame.kind not in LOG_KINDS]
        last = [frame for frame in found if frame.kind in LOG_KINDS][-1:]
        damage = None if which in self.restarted else reader.damage
        return kept, last, reader.position, damage


@settings(max_examples=300, deadline=None)
@given(SEGMENTS, STEPS, st.sampled_from([0, 2_000, 20_000, SHARED_BYTES]))
def test_readers_that_share_chunks_read_what_each_would_read_alone(segments, steps, limit):
    folder = Path(mkdtemp())
    try:
        journal = Growing(folder, segments)
        chunks = SharedChunks(limit)
        together, alone = Readers(folder, chunks), Readers(folder, None)
        for what, number, size in steps:
            for readers in (together, alone):
                if what == "read":
                    readers.read(number, size)
                elif what == "restart":
                    readers.restart(number)
            if what == "grow":
                journal.grow(number)
            assert chunks.held_bytes <= limit
        journal.grow(sum(map(len, segments)) + 1)
        together.finish()
        alone.finish()
        for which in range(PIPELINES):
            assert together.outcome(which) == alone.outcome(which)
    finally:
        shutil.rmtree(folder)


def test_what_is_skipped_is_the_same_whoever_reads_first(tmp_path):
    kinds = [Kind.LOG, Kind.SAMPLES, Kind.BRIEF, Kind.BRIEF, Kind.SPAN, Kind.FLUSH]
    data = b"".join(frames.frame(kind, bytes([number]) * 9, 1, number) for number, kind in enumerate(kinds))
    segment_path(tmp_path, 1).write_bytes(data)
    for order in permutations(range(PIPELINES)):
        readers = Readers(tmp_path, SharedChunks())
        for which in order:
            assert readers.read(which, 1 << 18)
        assert [frame.sequence for frame in readers.found[0]] == [1, 3, 4, 5]
        assert readers.found[0] == readers.found[1] == readers.found[2]
        readers.finish()


def test_a_chunk_holds_the_bytes_of_what_it_leaves_out(tmp_path):
    kinds = [Kind.LOG, Kind.SAMPLES, Kind.BRIEF, Kind.LOG]
    whole = [frames.frame(kind, bytes([number]) * 9, 1, number) for number, kind in enumerate(kinds)]
    segment_path(tmp_path, 1).write_bytes(b"".join(whole) + whole[1][:-1] + bytes(5_000))
    chunk = JournalReader(tmp_path).read_chunk(ended=False, skip=LOG_KINDS)
    assert chunk.data == b"".join(whole)
    assert (chunk.size, chunk.after) == (len(chunk.data), Position(1, len(chunk.data)))
    assert [one[:3] for one in chunk.bare] == [(Kind.SAMPLES, 1, 1), (Kind.LOG, 1, 3)]


class Server:
    """Accepts everything, or nothing while it is away."""

    exporter = ""
    away = False

    def tally(self) -> Tally:
        return Tally()

    def __call__(self, body: bytes, *, suspect: bool = False) -> Outcome:
        return Retry("away", reached=False) if self.away else Accepted()

    def ready(self) -> bool:
        return True

    def hurry(self) -> None:
        pass


@pytest.fixture
def chunks_read(monkeypatch):
    """Where chunks are read from files, looks at a header alone apart."""
    read: list[int] = []
    pread = os.pread

    def counted(descriptor, size, offset):
        data = pread(descriptor, size, offset)
        if size > HEADER_SIZE and data.startswith(MARK_BYTES):
            read.append(offset)
        return data

    monkeypatch.setattr(os, "pread", counted)
    return read


def log(journal, records):
    for number in range(records):
        record = [number + 1, 9, None, None, f"message {number} " + "x" * 100, {}, b"", 0]
        journal.append(Kind.LOG, Signal.LOGS, frames.encode(record))


@pytest.mark.parametrize("order", list(permutations(Signal)), ids=lambda order: "-".join(one.name for one in order))
def test_a_chunk_is_read_once_for_three_pipelines(journal, chunks_read, order):
    chunks = SharedChunks()
    claimed = ClaimedJournal.take(journal.folder, interval_seconds=1000, chunks=chunks)
    server = Server()
    for _ in range(3):
        log(journal, 500)
        for signal in order:
            claimed.step(signal, server)
    journal.close()
    claimed.ended = True
    for signal in order:
        while claimed.step(signal, server):
            pass
    assert chunks_read
    assert len(chunks_read) == len(set(chunks_read))
    assert claimed.pipelines[Signal.LOGS].cursor.delivered == 1_500
    assert chunks.held_bytes == 0, "everything was taken by all"
    claimed.close()


def test_threads_that_ask_at_the_same_time_read_a_chunk_once(tmp_path, chunks_read):
    data = b"".join(frames.frame(Kind.BRIEF, b"x" * 100, 1, number) for number in range(3_000))
    segment_path(tmp_path, 1).write_bytes(data)
    readers = Readers(tmp_path, SharedChunks(2 * len(data)))  # room for all, however far ahead one is
    barrier = Barrier(PIPELINES)

    def read(which):
        barrier.wait()
        while readers.read(which, 1 << 14, ended=True):
            pass

    threads = [Thread(target=read, args=(which,)) for which in range(PIPELINES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert readers.found[0] == readers.found[1] == readers.found[2]
    assert readers.found[0][-1].sequence == 2_999
    assert len(chunks_read) == len(set(chunks_read)) > 10
    readers.finish()


def test_for_a_pipeline_whose_backend_is_away_little_is_held_and_it_reads_the_rest_itself(journal):
    chunks = SharedChunks()
    claimed = ClaimedJournal.take(journal.folder, interval_seconds=1000, chunks=chunks)
    away, server = Server(), Server()
    away.away = True
    held = []
    for _ in range(40):
        log(journal, 500)
        claimed.pipelines[Signal.LOGS].hurry()
        claimed.step(Signal.LOGS, away)
        for signal in (Signal.METRICS, Signal.TRACES):
            claimed.step(signal, server)
        held.append(chunks.held_bytes)
    assert SHARED_BYTES // 2 < max(held) <= SHARED_BYTES
    away.away = False
    journal.close()
    claimed.ended = True
    for signal in Signal:
        while claimed.step(signal, away) or not claimed.pipelines[signal].cursor.complete:
            pass
    assert claimed.pipelines[Signal.LOGS].cursor.delivered == 20_000
    assert not claimed.pipelines[Signal.LOGS].cursor.dropped
    claimed.close()
    assert chunks.held_bytes == 0
