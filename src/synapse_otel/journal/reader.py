"""Reads a journal, even if it is being written, truncated or damaged."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from synapse_otel._compiled import MODE, compare, native
from synapse_otel.journal.files.descriptors import open_file
from synapse_otel.journal.folder import segment_numbers, segment_path
from synapse_otel.journal.frames import (
    DECODERS,
    HEADER,
    HEADER_SIZE,
    LARGEST_PAYLOAD,
    MARK,
    MARK_BYTES,
    SIGNAL_OF,
    BareFrame,
    Brief,
    Kind,
    Template,
    Templates,
    bare_frame,
    checksum,
    seed,
    unpack_head,
)
from synapse_otel.semconv.signal import Signal

CHUNK: Final = 1 << 18
LOG_KINDS: Final = bytes((Kind.LOG, Kind.BRIEF))
"""Kinds of log records: for whom they are not, the last one is enough, for its time."""
_new: Final = tuple.__new__
_FIRST_WINDOW: Final = 1 << 12
_LOOKS_AROUND: Final = 25
_VAIN_BYTES: Final = 1 << 24
_SMALL_PAYLOAD: Final = 1 << 12
"""After a search for frames has read this much, plus the segment's size, without success, it accepts only small ones:
many marks written on purpose must not keep a reader busy for hours."""


class Position(NamedTuple):
    """A place in a journal: the number of a segment and an offset in bytes."""

    segment: int = 0
    offset: int = 0


class Frame(NamedTuple):
    """A frame as it was read; `after` is the position after it."""

    kind: int
    count: int  # type: ignore[assignment]  # not the method of a tuple
    sequence: int
    payload: bytes
    after: Position

    def decode(self) -> Any:
        """Return the structure in the payload; None if it is of a newer version, or does not match its kind."""
        decoder = DECODERS.get(self.kind)
        try:
            return decoder.decode(self.payload) if decoder else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None


class Chunk(NamedTuple):
    """The complete frames that were read of a segment at once; all of them are checked."""

    segment: int
    start: int
    """Offset of the first one in the segment."""
    data: bytes
    """What was read..."""
    size: int
    """... and how much of it complete frames are."""
    bare: list[BareFrame]
    """Them, taken apart; of the kinds to skip only the last one."""
    wanted: int
    """Size of the frame behind them, if it is incomplete; 0 if it is damaged."""
    is_full: bool
    """As much was read as was asked for: there may be more in the segment."""

    @property
    def after(self) -> Position:
        """The position after the last frame."""
        return Position(self.segment, self.start + self.size)

    def frame(self, kind: int, count: int, sequence: int, payload: bytes, end: int) -> Frame:
        """Return one of its frames, as `Frame(...)` and `Position(...)` would, in half the time."""
        return _new(Frame, (kind, count, sequence, payload, _new(Position, (self.segment, end))))

    def frames(self) -> list[Frame]:
        """Return its frames."""
        return [self.frame(*one) for one in self.bare]


ReadAt = Callable[[int, Position, int, bytes], Chunk]
"""What does the same as `read_chunk`."""


def read_chunk(descriptor: int, at: Position, size: int, skip: bytes = b"") -> Chunk:
    """Return the complete frames of the next bytes of a segment.

    Args:
        descriptor: of the segment's file.
        at: where to begin.
        size: how many bytes to read at most.
        skip: kinds of which only the last frame is taken apart; all are checked.
    """
    data = os.pread(descriptor, size, at.offset)
    bare, used, wanted = read_frames(data, at.offset, skip)
    kept = data if used > size >> 1 else data[:used]  # what is not written yet is zeros: of no use to anybody
    return Chunk(at.segment, at.offset, kept, used, bare, wanted, len(data) == size)


def _read_frames(data: bytes, start: int, skip: bytes) -> tuple[list[BareFrame], int, int]:
    """Return the complete frames at the beginning of ``data``, which is at offset ``start``, as in `Chunk`."""
    bare: list[BareFrame] = []
    place, most, wanted = 0, len(data), HEADER_SIZE
    known = base = last = -1
    last_number = kind = count = 0
    while place + HEADER_SIZE <= most:
        head, length, check, sequence = unpack_head(data, place)
        if head != known:
            kind, count = head >> 16 & 0xFF, head >> 24
            if head & 0xFFFF != MARK or not kind:
                wanted = 0
                break
            known, base = head, seed(kind, count, 0)
        begin = place + HEADER_SIZE
        end = begin + length
        if end > most:
            wanted = end - place if length <= LARGEST_PAYLOAD else 0
            break
        payload = data[begin:end]
        if checksum(payload, base + sequence) != check:
            wanted = 0
            break
        if kind in skip:
            last, last_number = place, len(bare)
        else:
            bare.append((kind, count, sequence, payload, start + end))
        place = end
    if last >= 0:
        bare.insert(last_number, bare_frame(data, last, start))
    return bare, place, wanted


def _compared(data: bytes, start: int, skip: bytes) -> tuple[list[BareFrame], int, int]:
    found = _read_frames(data, start, skip)
    compare(native.read_frames(data, start, skip), found)
    return found


read_frames: Final = _read_frames if native is None else _compared if MODE == "compare" else native.read_frames


@dataclass(slots=True)
class Damage:
    """What a reader had to skip."""

    bytes: int = 0
    places: int = 0


class JournalReader:
    """Reads frames from a place on. Every segment begins with all definitions, so any segment can be the first."""

    def __init__(self, folder: Path, position: Position = Position()) -> None:  # noqa: B008 - immutable
        self.folder = folder
        self.damage = Damage()
        self.read_at: ReadAt = read_chunk
        """Reads a chunk; or knows it already, as others read the journal, too."""
        self._position = position
        self._descriptor: int | None = None
        self._open_number = -1
        self._looks = 0
        self._window = CHUNK
        self._vain = 0
        self._prefix = f"{folder}{os.sep}"

    @property
    def position(self) -> Position:
        """The position after the last returned frame."""
        return self._position

    def read(self, *, ended: bool, limit: int = CHUNK, skip: bytes = b"") -> list[Frame]:
        """Return the next frames, about ``limit`` bytes of them; empty if there are no more yet.

        Args:
            ended: the writer has ended: incomplete frames will never be complete.
            limit: maximum number of bytes to read, but always one frame.
            skip: kinds of which only the last frame is returned; all are checked.
        """
        chunk = self.read_chunk(ended=ended, limit=limit, skip=skip)
        return chunk.frames() if chunk is not None else []

    def read_chunk(self, *, ended: bool, limit: int = CHUNK, skip: bytes = b"") -> Chunk | None:
        """Return the next frames, as `read` does; None if there are no more yet."""
        self._looks += 1
        # Now and then all segments are listed: numbers may be left out.
        if not ended and self._looks % _LOOKS_AROUND and self.is_quiet():
            return None
        while True:
            if not self._open():
                return None
            sealed = ended or self._has_next()
            found = self._read_segment(limit, skip, sealed=sealed)
            if found is not None or not sealed or not self._has_next():
                return found
            self._next_segment()

    def close(self) -> None:
        """Close the file that is open."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def is_quiet(self) -> bool:
        """Return whether nothing was written after the position, with a cheap check."""
        number, offset = self._position
        if self._descriptor is None or self._open_number != number:
            return False
        try:
            if any(os.pread(self._descriptor, HEADER_SIZE, offset)):
                return False
            os.stat(f"{self._prefix}{number + 1:08d}.segment")
        except FileNotFoundError:
            return True
        except OSError:
            pass  # closed by the thread that reads
        return False

    # --- segments -----------------------------------------------------------------------------------

    def _open(self) -> bool:
        if self._descriptor is not None and self._open_number == self._position.segment:
            return True
        self.close()
        numbers = [number for number in segment_numbers(self.folder) if number >= self._position.segment]
        for number in numbers:
            try:
                self._descriptor = open_file(segment_path(self.folder, number), os.O_RDONLY)
            except FileNotFoundError:
                continue  # evicted since it was listed
            if number != self._position.segment:
                self._position = Position(number, 0)
            self._open_number = number
            return True
        return False

    def _has_next(self) -> bool:
        if segment_path(self.folder, self._position.segment + 1).exists():
            return True
        return any(number > self._position.segment for number in segment_numbers(self.folder))

    def _next_segment(self) -> None:
        self.close()
        self._position = Position(self._position.segment + 1, 0)
        self._window, self._vain = CHUNK, 0

    # --- frames -------------------------------------------------------------------------------------

    def _read_segment(self, limit: int, skip: bytes, *, sealed: bool) -> Chunk | None:
        size = min(limit, self._window)
        while True:
            chunk = self.read_at(self._file(), self._position, size, skip)
            if chunk.bare:
                self._position = chunk.after
                self._window = min(self._window * 2, CHUNK)
                return chunk
            if size > CHUNK:
                self._vain += size
            if chunk.wanted > size and chunk.is_full and not self._is_vain(chunk.wanted):
                size = chunk.wanted
            elif not sealed or not self._skip_damage():
                return None
            else:
                size = self._window = _FIRST_WINDOW  # more damage may follow soon

    def _file(self) -> int:
        if self._descriptor is None:
            msg = "no segment is open"
            raise RuntimeError(msg)
        return self._descriptor

    def _skip_damage(self) -> bool:
        """Go to the segment's next frame, or to its end, and count the skipped bytes; return whether there is one."""
        begin = self._position.offset
        size = os.fstat(self._file()).st_size
        at, last, window = begin + 1, begin, _FIRST_WINDOW
        while data := os.pread(self._file(), window, at):
            found = data.find(MARK_BYTES)
            while found != -1:
                if self._is_whole(data[found : found + HEADER_SIZE], at + found, size):
                    self._leave_out(begin, at + found)
                    return True
                found = data.find(MARK_BYTES, found + 1)
            used = data.rstrip(b"\0")
            last = at + len(used) if used else last
            at += max(len(data) - 1, 1)  # a mark may lie across
            window = CHUNK
        if last > begin or any(os.pread(self._file(), 1, begin)):
            self._leave_out(begin, max(last, begin + 1))
        self._position = self._position._replace(offset=max(size, begin))
        return False

    def _is_whole(self, header: bytes, at: int, size: int) -> bool:
        if len(header) < HEADER_SIZE:
            header = os.pread(self._file(), HEADER_SIZE, at)
        if len(header) < HEADER_SIZE:
            return False
        mark, kind, count, length, check, sequence = HEADER.unpack(header)
        if not _is_header(mark, kind, length) or at + HEADER_SIZE + length > size:
            return False
        if self._is_vain(length):
            return False
        payload = os.pread(self._file(), length, at + HEADER_SIZE)
        if len(payload) == length and checksum(payload, seed(kind, count, sequence)) == int(check):
            return True
        self._vain += length
        return False

    def _is_vain(self, size: int) -> bool:
        """Return whether checking a frame of this size would exceed the search limit."""
        return size > _SMALL_PAYLOAD and self._vain > _VAIN_BYTES + os.fstat(self._file()).st_size

    def _leave_out(self, begin: int, end: int) -> None:
        self.damage.bytes += end - begin
        self.damage.places += 1
        self._position = self._position._replace(offset=end)


def _is_header(mark: int, kind: int, length: int) -> bool:
    """Return whether a header is plausible; the CRC of a header of zeros is 0."""
    return mark == MARK and kind != 0 and length <= LARGEST_PAYLOAD


def read_all(folder: Path) -> Iterator[tuple[Frame, Any]]:
    """Yield every current frame of a journal, with its structure; definitions are repeated per segment.

    A brief log record is yielded complete, as `frames.Log`; as None if its template is damaged.
    """
    reader = JournalReader(folder)
    templates = Templates()
    try:
        while found := reader.read(ended=True):
            for frame in found:
                structure = frame.decode()
                if isinstance(structure, Template):
                    templates.take(structure)
                yield frame, templates.whole(structure) if isinstance(structure, Brief) else structure
    finally:
        reader.close()


def last_sequences(folder: Path) -> tuple[list[int], bool]:
    """Return, by signal, the number that a journal's next record would have had, and whether it was ended well."""
    sequences, ended = [0] * len(Signal), False
    numbers = segment_numbers(folder)
    reader = JournalReader(folder, Position(numbers[-1] if numbers else 0))
    try:
        while found := reader.read(ended=True):
            for frame in found:
                signal = SIGNAL_OF.get(frame.kind)
                if signal is not None:
                    sequences[signal] = max(sequences[signal], frame.sequence + frame.count)
                elif frame.kind in {Kind.SEGMENT, Kind.END} and (structure := frame.decode()):
                    known = [*structure.sequences, *sequences[len(structure.sequences) :]]
                    sequences = [max(pair) for pair in zip(sequences, known, strict=False)]
                    ended = ended or frame.kind == Kind.END
    finally:
        reader.close()
    return sequences, ended
