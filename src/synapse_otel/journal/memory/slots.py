"""The slots of the state block that change: the progress of a category, and a counter; compiled where they can be.

`state_block` says how they lie in memory.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from xxhash import xxh3_64_intdigest as checksum

from synapse_otel._compiled import native
from synapse_otel.semconv.progress import LEAST_FALL, Progress

SLOT_SIZE: Final = 256
_VALUE: Final = 128
_COPY: Final = 64
_BODY: Final = Struct("<Qddqqdd")
COPY_SIZE: Final = 8 + _BODY.size
_pack: Final = _BODY.pack
_store: Final = Struct(f"<Q{_BODY.size}s").pack_into
_U64: Final = Struct("<Q")
_pack_count: Final = _U64.pack_into


def copies_at(offset: int) -> tuple[int, int]:
    """Return the offsets of the two copies of a slot's progress, with their checksums."""
    return offset + _VALUE, offset + _VALUE + _COPY


def read_progress(buffer: memoryview, offset: int) -> tuple[int, Progress] | None:
    """Return how often the slot at an offset was set, and its latest whole progress; None before the first."""
    best: tuple[int, Progress] | None = None
    for at in copies_at(offset):
        copy = bytes(buffer[at : at + COPY_SIZE])
        if len(copy) == COPY_SIZE and int.from_bytes(copy[:8], "little") == checksum(copy[8:]):
            sequence, *numbers = _BODY.unpack(copy[8:])
            if sequence and (best is None or sequence > best[0]):
                best = sequence, Progress(*numbers)
    return best


def read_count(buffer: memoryview, offset: int) -> int:
    """Return the count of the counter's slot at an offset."""
    count: int = _U64.unpack_from(buffer, offset + _VALUE)[0]
    return count


class PythonProgressSlot:
    """The slot of one category. `set` is the hot path: one copy into the block."""

    __slots__ = ("_copies", "_high", "_items", "_sequence", "_start", "_start_current", "buffer", "offset")

    def __init__(self, buffer: memoryview, offset: int) -> None:
        self.buffer: memoryview = buffer
        self.offset: int = offset
        self._copies = copies_at(offset)
        self._sequence = 0
        self._high = -1.0
        self._items = 0.0
        self._start = 0
        self._start_current = 0.0

    def set(self, current: float, limit: float, now: int) -> None:
        """Write the progress; ``now`` is Unix time in ns."""
        high = self._high
        if current > high:
            if high >= 0:
                self._items += current - high
            else:
                self._begin_pass(current, now)
            self._high = current
        elif current < high * LEAST_FALL:  # `begins_pass`, without a call
            self._begin_pass(current, now)
        sequence = self._sequence = self._sequence + 1
        body = _pack(sequence, current, limit, now, self._start, self._start_current, self._items)
        _store(self.buffer, self._copies[sequence & 1], checksum(body), body)

    def _begin_pass(self, current: float, now: int) -> None:
        self._items += current
        self._high = current
        self._start = now
        self._start_current = current


class PythonCounterSlot:
    """A counter that only grows."""

    __slots__ = ("_at", "_count", "buffer", "offset")

    def __init__(self, buffer: memoryview, offset: int) -> None:
        self.buffer: memoryview = buffer
        self.offset: int = offset
        self._at = offset + _VALUE
        self._count = 0

    def add(self, number: int = 1) -> None:
        """Add to the counter."""
        # No call stands between reading and storing the count, so no other thread can come between.
        count = self._count + number
        self._count = count
        _pack_count(self.buffer, self._at, count)
        while count != self._count:  # another thread has counted on, and may have written before this one
            count = self._count
            _pack_count(self.buffer, self._at, count)

    def value(self) -> int:
        """Return the count."""
        return self._count


if TYPE_CHECKING or native is None:
    _Progress = PythonProgressSlot
    _Counter = PythonCounterSlot
else:
    _Progress = native.ProgressSlot
    _Counter = native.CounterSlot


class ProgressSlot(_Progress):
    """The slot of one category."""

    __slots__ = ()

    def reset(self, buffer: memoryview) -> None:
        """Reset, in another buffer."""
        self.__init__(buffer, self.offset)  # type: ignore[misc]

    def value(self) -> Progress | None:
        """Return the slot's value, None before the first `set`."""
        found = read_progress(self.buffer, self.offset)
        return found[1] if found else None


class CounterSlot(_Counter):
    """The slot of one counter."""

    __slots__ = ()

    def reset(self, buffer: memoryview) -> None:
        """Reset to zero, in another buffer."""
        self.__init__(buffer, self.offset)  # type: ignore[misc]
