"""The state block: the latest progress and the counters of the context API, in fixed slots that are written in place.

It lives in anonymous memory until `StateBlock.move` moves it to a memory-mapped file of a journal; from then
on the last values survive the process. Layout of a slot of 256 bytes, little endian::

    offset  size  field
    0       1     kind       a `SlotKind`; 0: free. Written last.
    1       1     length     of the text in bytes
    8       8     job        span id of the job's root span (zeros: no span)
    16      112   text       category, message context or event name, UTF-8 (`slot_text`)
    128     64    copy 0     for progress: XXH3 (64 bits) of the rest, sequence u64, six numbers (`Progress`)
    192     64    copy 1     the copies are written in turn, so one of them is always complete
    128     8     value      for counters: u64
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from threading import RLock
from typing import Any, Final, TypeVar

from xxhash import xxh3_64_intdigest as checksum

from synapse_otel.journal.memory.slots import (
    COPY_SIZE,
    SLOT_SIZE,
    CounterSlot,
    ProgressSlot,
    copies_at,
    read_count,
    read_progress,
)
from synapse_otel.semconv.progress import Progress
from synapse_otel.semconv.readings import SlotKind

SLOT_COUNT: Final = 512
BLOCK_SIZE: Final = SLOT_SIZE * SLOT_COUNT
TEXT_LIMIT: Final = 112
"""Bytes of a category and of the name of a step or event in UTF-8; longer ones are cut, with a digest."""
_TEXT: Final = 16


def slot_text(text: str, limit: int = TEXT_LIMIT) -> str:
    """Return a name that fits into a slot: a longer one is cut between characters, with a digest.

    Args:
        text: The name; lone surrogates in it are written as escapes.
        limit: Bytes of UTF-8.
    """
    encoded = text.encode("utf-8", "backslashreplace")
    if len(encoded) <= limit:
        return encoded.decode()
    digest = f"~{checksum(encoded):016x}"[:_DIGEST]
    return encoded[: limit - _DIGEST].decode("utf-8", "ignore") + digest


_DIGEST: Final = 9
"""Length of the suffix of a cut name: ``~`` and eight hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class JobEntry:
    """A job whose slots are in the block."""

    key: bytes
    """8 bytes, which its slots name it by."""
    start: int
    """Unix time in ns."""
    attributes: Mapping[str, Any]
    """Of every metric of the job."""
    category: str
    trace_id: int
    """Of its span, whose id is the key; 0 if there is none."""
    flags: int
    """Of its trace."""
    own: bool = True
    """This process runs the job; false in a forked child, and in a process that received its context."""


@dataclass(frozen=True, slots=True)
class SlotValue:
    """A slot as a reader finds it."""

    kind: SlotKind
    job: bytes
    text: str
    value: Progress | int


_Slot = TypeVar("_Slot", ProgressSlot, CounterSlot)


class StateBlock:
    """All slots of a process. Slots are created once and kept by their callers; creating one takes a lock."""

    def __init__(self) -> None:
        self._lock = RLock()  # a signal's handler may end a job while a slot is being made
        self._buffer = memoryview(bytearray(BLOCK_SIZE))
        self._nowhere = memoryview(bytearray(BLOCK_SIZE))
        self._slots: dict[tuple[SlotKind, bytes, str], ProgressSlot | CounterSlot] = {}
        self._free = list(range(BLOCK_SIZE - SLOT_SIZE, -1, -SLOT_SIZE))
        self._ended: list[bytes] = []
        self.jobs: dict[bytes, JobEntry] = {}
        """The jobs that run, by key."""
        self.on_job: Callable[[JobEntry, int], None] = _nothing
        """Called for every job that begins, with 0, and that ends, with the Unix time in ns."""

    def progress(self, job: bytes, category: str) -> ProgressSlot:
        """Return the slot of a category of a job."""
        slot = self._slots.get((SlotKind.PROGRESS, job, category))
        return slot if isinstance(slot, ProgressSlot) else self._make(ProgressSlot, SlotKind.PROGRESS, job, category)

    def counter(self, kind: SlotKind, job: bytes, text: str) -> CounterSlot:
        """Return the slot of a counter of a job."""
        slot = self._slots.get((kind, job, text))
        return slot if isinstance(slot, CounterSlot) else self._make(CounterSlot, kind, job, text)

    def _make(self, slot_type: type[_Slot], kind: SlotKind, job: bytes, text: str) -> _Slot:
        with self._lock:
            known = self._slots.get((kind, job, text))
            if isinstance(known, slot_type):
                return known
            if not self._free:
                for ended in self._ended:
                    self._release(ended)
                self._ended.clear()
            if not self._free:
                return slot_type(memoryview(bytearray(SLOT_SIZE)), 0)  # it counts in memory only
            slot = slot_type(self._buffer, self._free.pop())
            self._slots[(kind, job, text)] = slot
            _write_key(self._buffer, slot.offset, kind, job, text)
            return slot

    def items(self) -> list[tuple[SlotKind, bytes, str, ProgressSlot | CounterSlot]]:
        """Return kind, job, text and slot of every slot in use."""
        with self._lock:
            return [(*key, slot) for key, slot in self._slots.items()]

    def begin(self, job: JobEntry) -> None:
        """Record that a job has begun."""
        self.jobs[job.key] = job
        self.on_job(job, 0)

    def end(self, job: bytes, time: int) -> None:
        """Record that a job has ended, at Unix time in ns: its slots keep their values until the space is needed."""
        entry = self.jobs.pop(job, None)
        with self._lock:
            self._ended.append(job)
        if entry is not None:
            self.on_job(entry, time)

    def release(self, job: bytes) -> None:
        """Free the slots of a job."""
        with self._lock:
            self._release(job)

    def _release(self, job: bytes) -> None:
        for key in [key for key in self._slots if key[1] == job]:
            slot = self._slots.pop(key)
            slot.buffer = self._nowhere  # for who still writes to it
            self._buffer[slot.offset] = 0
            self._free.append(slot.offset)

    def move(self, home: memoryview) -> None:
        """Move to ``home``, at least `BLOCK_SIZE` bytes; slots of ended jobs are not copied."""
        with self._lock:
            before, self._buffer = self._buffer, home
            home[:BLOCK_SIZE] = before[:BLOCK_SIZE]
            for job in self._ended:
                self._release(job)  # in the new home: in the old one, the values may still have to be sent
            self._ended.clear()
            for slot in self._slots.values():
                slot.buffer = home
            for slot in self._slots.values():
                _bring(before, home, slot)

    def restart(self) -> None:
        """Restart in separate memory, every slot at zero: for a forked child."""
        self._lock = RLock()
        self._buffer = memoryview(bytearray(BLOCK_SIZE))
        self.jobs = {key: replace(job, own=False) for key, job in self.jobs.items()}
        for (kind, job, text), slot in self._slots.items():
            slot.reset(self._buffer)
            _write_key(self._buffer, slot.offset, kind, job, text)


def _nothing(_job: JobEntry, _time: int) -> None:
    """Do nothing: there is no recorder."""


def _write_key(buffer: memoryview, at: int, kind: SlotKind, job: bytes, text: str) -> None:
    encoded = slot_text(text).encode()
    buffer[at : at + SLOT_SIZE] = bytes(SLOT_SIZE)
    buffer[at + 8 : at + 16] = job
    buffer[at + _TEXT : at + _TEXT + len(encoded)] = encoded
    buffer[at + 1] = len(encoded)
    buffer[at] = kind


def _bring(before: memoryview, home: memoryview, slot: ProgressSlot | CounterSlot) -> None:
    """Copy what another thread has written to a slot's old memory while the block was moved."""
    if isinstance(slot, CounterSlot):
        slot.add(0)
        return
    missed = read_progress(before, slot.offset)
    brought = read_progress(home, slot.offset)
    if missed is not None and (brought is None or missed[0] > brought[0]):
        at = copies_at(slot.offset)[missed[0] & 1]
        home[at : at + COPY_SIZE] = before[at : at + COPY_SIZE]


def read_block(buffer: memoryview) -> Iterator[SlotValue]:
    """Yield every used slot of a block that another process may be writing; damaged ones are skipped."""
    for number, kind in enumerate(bytes(buffer[:BLOCK_SIZE:SLOT_SIZE])):
        at = number * SLOT_SIZE
        if kind not in _KINDS or at + SLOT_SIZE > len(buffer):
            continue
        job = bytes(buffer[at + 8 : at + 16])
        text = bytes(buffer[at + _TEXT : at + _TEXT + buffer[at + 1]]).decode("utf-8", "replace")
        if kind != SlotKind.PROGRESS:
            yield SlotValue(SlotKind(kind), job, text, read_count(buffer, at))
        elif found := read_progress(buffer, at):
            yield SlotValue(SlotKind.PROGRESS, job, text, found[1])


_KINDS: Final = frozenset(SlotKind)


def at_work(slots: Iterable[SlotValue]) -> set[tuple[bytes, str]]:
    """Return the job's key and the step's name of each task at which a worker was when it last recorded."""
    return {(slot.job, slot.text) for slot in slots if slot.kind == SlotKind.HELD and slot.value}
