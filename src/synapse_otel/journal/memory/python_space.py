"""The one place that hands out room in a mapped segment, and numbers to the records in it; in Python."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct as Packing
from typing import Any, Final

from synapse_otel.journal import frames
from synapse_otel.journal.frames import HEADER_SIZE, MARK, checksum
from synapse_otel.semconv.signal import Signal

_STORES: Final[dict[int, Callable[..., None]]] = {}
"""By the length of a payload, what stores a frame's header and payload in memory in one call."""
_LONGEST_KEPT: Final = 4_096
"""Of a longer payload it is made each time, which is little beside copying that much."""
_UNCOUNTED: Final = [0] * len(Signal)


class PythonSpace:
    """Memory that frames are appended to, by threads and signals' handlers. The compiled one does the same."""

    __slots__ = ("at", "memory", "numbers", "room")

    append_brief: Callable[[int, int, str | None, dict[Any, Any] | None, set[str]], bool] | None = None
    """Where it is compiled: append a brief log record of time, template, body and data, whose keys are all among the
    plain ones; return False, and do nothing, where the record is not of the simple kind or there is no room."""
    append_samples: Callable[[int, dict[Any, Any], dict[Any, Any]], bool] | None = None
    """The same for samples of a time: the numbers of the series by name, and the values by name."""

    def __init__(self, memory: Any, size: int) -> None:
        self.memory = memory
        self.room = size
        """Capacity in bytes; negative: nothing is appended any more."""
        self.at = 0
        """Bytes in use."""
        self.numbers: list[int] | None = None
        """By signal, the number of the next record: the journal's."""

    def append(self, kind: int, signal: int, payload: bytes, count: int) -> bool:
        """Append a frame with ``count`` records of a signal, or a definition with 0; False where there is no room."""
        length = len(payload)
        size = HEADER_SIZE + length
        try:
            store = _STORES[length]
        except KeyError:
            store = _store_for(length)
        numbers = self.numbers if count else _UNCOUNTED
        if numbers is None:
            return False
        while True:
            sequence = numbers[signal]
            check = checksum(payload, sequence + (kind << 56) + (count << 48))
            # From here on stands no call but the one that stores all, and that is one of C: the interpreter changes
            # threads, and runs signal handlers, only at loops and once a call is over. Who came before has taken the
            # number, and the loop goes round.
            at = self.at
            end = at + size
            if end > self.room:
                return False
            if numbers[signal] == sequence:
                numbers[signal] = sequence + count
                self.at = end
                store(self.memory, at, MARK, kind, count, length, check, sequence, payload)
                return True

    def write(self, data: bytes) -> None:
        """Append bytes: space is taken and filled without a call in between, so no signal handler can interrupt."""
        size = len(data)
        at = self.at
        end = at + size
        self.at = end
        self.memory[at:end] = data

    def release(self) -> None:
        """Let go of the memory; nothing is appended any more."""
        self.room = -1
        self.memory = None


def _store_for(length: int) -> Callable[..., None]:
    store = Packing(f"{frames.HEADER.format}{length}s").pack_into
    if length <= _LONGEST_KEPT:
        _STORES[length] = store
    return store
