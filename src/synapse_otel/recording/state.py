"""Whether a run is alive, has stalled, ended, or was killed; and how many records it has emitted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import zip_longest
from pathlib import Path
from time import time_ns

from synapse_otel.journal.cursor import read_cursor
from synapse_otel.journal.folder import ALIVE_LOCK, Run, segment_numbers
from synapse_otel.journal.frames import SIGNAL_OF, Kind, Signal
from synapse_otel.journal.locks import is_locked
from synapse_otel.journal.reader import Frame, JournalReader, Position


class RunState(StrEnum):
    """What became of the process that writes a journal."""

    LIVE = "live"
    STALLED = "stalled"
    """It lives, with a job that has neither recorded anything nor gone ahead for a while."""
    CRASHED = "crashed"
    """It is gone, and did not close its journal: killed, or out of power."""
    DONE = "done"
    """It closed its journal in good order, however its job ended."""

    @property
    def lives(self) -> bool:
        """Whether the process is alive."""
        return self in {RunState.LIVE, RunState.STALLED}


def stalled(state: RunState, last: int, stall_seconds: float) -> RunState:
    """Return the state of a run whose job is running: one that lives and has been silent for too long has stalled.

    Args:
        state: the process' own.
        last: Unix time in ns of the last record or progress.
        stall_seconds: how long a job may be silent.
    """
    is_silent = time_ns() - last > stall_seconds * 1e9
    return RunState.STALLED if state is RunState.LIVE and is_silent else state


def joined_state(states: Sequence[RunState], runs: Sequence[Run | None]) -> RunState:
    """Return the state of a run of several journals, those of the process that began it first.

    It lives while any of its processes does; else its state is that of the process that began it, as its last journal
    tells: a full disk makes it go on in another one.
    """
    if RunState.LIVE in states:
        return RunState.LIVE
    found, journal = states[0], runs[0].journal if runs[0] else ""
    for state, run in zip(states, runs, strict=True):
        if run is not None and run.continues and run.parent == journal:
            found, journal = state, run.journal
    return found


def run_state(folder: Path, *, ended: bool | None = None) -> RunState:
    """Say what became of a journal's process: the one place where this is decided.

    Alive is whoever holds the journal's lock, which the kernel releases at death; a process id says nothing in
    another container.

    Args:
        folder: the journal's.
        ended: whether the journal's end has been read in it, for who has just read it.
    """
    if is_alive(folder):
        return RunState.LIVE
    if ended is None:
        ended = _is_ended(folder)
    if ended:
        return RunState.DONE
    if segment_numbers(folder) or not _is_complete(folder):
        return RunState.CRASHED
    # Delivered and deleted: the cursors remember what its end was like.
    return RunState.CRASHED if any(read_cursor(folder, signal).killed for signal in Signal) else RunState.DONE


def is_alive(folder: Path) -> bool:
    """Say whether the process that writes a journal lives."""
    try:
        return is_locked(folder / ALIVE_LOCK)
    except FileNotFoundError:
        return False


def emitted_records(folder: Path) -> int:
    """Return how many records a journal was given, evicted and damaged ones included."""
    found = [read_cursor(folder, signal).sequence for signal in Signal]
    for frame in _last_frames(folder):
        signal = SIGNAL_OF.get(frame.kind)
        if signal is not None:
            found[signal] = max(found[signal], frame.sequence + frame.count)
        elif frame.kind in {Kind.SEGMENT, Kind.END} and (structure := frame.decode()):
            found = [max(pair) for pair in zip_longest(found, structure.sequences, fillvalue=0)]
    return sum(found)


def _is_ended(folder: Path) -> bool:
    return any(frame.kind == Kind.END for frame in _last_frames(folder))


def _is_complete(folder: Path) -> bool:
    return all(read_cursor(folder, signal).complete for signal in Signal)


def _last_frames(folder: Path) -> Iterator[Frame]:
    """Yield the frames of the newest segment: it can be read alone."""
    numbers = segment_numbers(folder)
    if not numbers:
        return
    reader = JournalReader(folder, Position(numbers[-1]))
    try:
        while read := reader.read(ended=True):
            yield from read
    finally:
        reader.close()
