"""What must hold whatever bytes a journal consists of: no error, no endless work, and numbers that add up."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from synapse_otel.journal import frames
from synapse_otel.journal.cursor import cursor_path
from synapse_otel.journal.folder import RUN_FILE, STATE_FILE, read_run, segment_path
from synapse_otel.journal.frames import Kind
from synapse_otel.journal.reader import JournalReader
from synapse_otel.otlp.outcome import Accepted
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper.claimed_journal import ClaimedJournal
from synapse_otel.shipper.pipelines.poison_records import Tally

STEPS = 1_000
"""More steps than any small journal takes."""


class Takes:
    """Stands where the network begins, and takes everything."""

    exporter = ""

    def ready(self) -> bool:
        """Say that it may be tried now."""
        return True

    def hurry(self) -> None:
        """Nobody waits here."""

    def tally(self) -> Tally:
        """Return that nothing has failed."""
        return Tally()

    def __call__(self, body: bytes, *, suspect: bool = False) -> Accepted:  # noqa: ARG002 - the signature is given
        """Take a request."""
        return Accepted()

    def quarantine(self, item: Any, body: bytes, reason: str) -> bool:  # noqa: ARG002 - the signature
        """Never called: nothing is refused."""
        return True


def check(data: bytes) -> None:
    """Read and deliver a journal made of some bytes.

    Raises:
        AssertionError: a number is wrong, or the work does not end.
        Exception: whatever the code raises that must not.
    """
    with tempfile.TemporaryDirectory(prefix="synapse-fuzz-") as base:
        folder = Path(base) / "run"
        folder.mkdir()
        _write(folder, data)
        _read(folder)
        _deliver(folder)


def seeds() -> Iterator[bytes]:
    """Yield contents to begin with: journals as they are written."""
    span = [b"t" * 16, b"s" * 8, b"", 1, "", "name", 1, 1, 2, {"synapse.action": "train"}, 0]
    payloads: dict[Kind, list[Any]] = {
        Kind.SEGMENT: [1, "journal", 0, [0, 0, 0], {"a": 1}],
        Kind.SCOPE: [0, "scope"],
        Kind.SERIES: [1, 0, "histogram", "name", "s", "", {}, [1.0, 2.0]],
        Kind.TEMPLATE: [0, 0, 9, None, "event", {}, b"", "p."],
        Kind.JOB: [b"s" * 8, 1, {"a": 1}, "train", b"", 0],
        Kind.SPAN_OPEN: span,
        Kind.LOG: [1, 9, None, None, "text", {"a": [1]}, b"", 0],
        Kind.BRIEF: [1, 0, "text", {"a": 1}],
        Kind.SAMPLES: [1, [1.0, 2.0]],
        Kind.SPAN: span,
        Kind.END: [1, [2, 1, 1]],
    }
    whole = b"".join(frames.frame(kind, frames.encode(each), 1) for kind, each in payloads.items())
    yield b"\0" + whole
    yield b"\2" + whole
    kinds = [0, *Kind]
    pieces = [bytes([kinds.index(kind), 1, 0]) + frames.encode(each) for kind, each in payloads.items()]
    yield b"\1" + b"\xfe".join(pieces)
    yield b"\3" + b"\xfe".join(pieces * 2)


def _write(folder: Path, data: bytes) -> None:
    """Make a journal: the first byte chooses what the rest is made into."""
    if not data:
        return
    what, rest = data[0], data[1:]
    if what & 1:  # frames that are whole, with any content: what no checksum finds
        rest = b"".join(frames.frame(*each) for each in _frames(rest))
    middle = len(rest) // 2 if what & 2 else len(rest)
    segment_path(folder, 1).write_bytes(rest[:middle])
    if rest[middle:]:
        segment_path(folder, 2 + (what >> 6)).write_bytes(rest[middle:])
    for bit, name in ((4, RUN_FILE), (8, STATE_FILE), (16, cursor_path(folder, Signal.LOGS).name)):
        if what & bit:
            (folder / name).write_bytes(data[1:])


def _frames(data: bytes) -> Iterator[tuple[int, bytes, int, int]]:
    """Yield kind, payload, count and number of frames: pieces of the data, cut at each 0xFE."""
    places = [-1, *(place for place, byte in enumerate(data) if byte == 0xFE), len(data)]  # noqa: PLR2004
    kinds = [0, *Kind]
    for begin, end in pairwise(places):
        piece = data[begin + 1 : end]
        if piece:
            yield kinds[piece[0] % len(kinds)] or 99, piece[3:], *(piece[1:3].ljust(2, b"\1"))


def _read(folder: Path) -> None:
    size = sum(path.stat().st_size for path in folder.glob("*.segment"))
    reader = JournalReader(folder)
    try:
        got = 0
        for _ in range(size + 2):
            found = reader.read(ended=True)
            if not found:
                break
            for frame in found:
                frame.decode()
                got += frames.HEADER_SIZE + len(frame.payload)
        else:
            msg = "the reader never ends"
            raise AssertionError(msg)
        assert got + reader.damage.bytes <= size  # noqa: S101 - what is checked
    finally:
        reader.close()


def _deliver(folder: Path) -> None:
    run = read_run(folder)
    if run is not None and run.version > frames.FORMAT_VERSION:
        return  # left alone, as it must be
    journal = ClaimedJournal.take(folder, interval_seconds=1000)
    assert journal is not None  # noqa: S101 - nobody else knows of it
    try:
        for _ in range(STEPS):
            for signal in Signal:
                journal.pipelines[signal].hurry()
                journal.step(signal, Takes())
            if journal.complete:
                break
        else:
            msg = "the delivery never ends"
            raise AssertionError(msg)
    finally:
        journal.close()
