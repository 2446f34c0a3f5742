"""Whether a run is alive, has stalled, ended, or was killed; and how many records it has emitted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from time import time_ns

from synapse_otel.journal.cursor import read_cursor
from synapse_otel.journal.folder import Run, segment_numbers
from synapse_otel.journal.liveness import is_alive
from synapse_otel.journal.reader import last_sequences
from synapse_otel.semconv.signal import Signal


class RunState(StrEnum):
    """What became of a job, or of the process that writes a journal."""

    LIVE = "live"
    STALLED = "stalled"
    """It is alive, but its job has neither recorded anything nor made progress for a while."""
    CRASHED = "crashed"
    """It is gone without an end of its own: killed, or out of power. A process did not close its journal."""
    DONE = "done"
    """It ended properly, with any result. A process closed its journal."""

    @property
    def lives(self) -> bool:
        """Whether the process is alive."""
        return self in {RunState.LIVE, RunState.STALLED}


def classify(*, ended: bool, alive: bool, silent_seconds: float = 0.0, stall_seconds: float = math.inf) -> RunState:
    """Return what became of a job or process: the one definition, of which the rules for Prometheus are a second text.

    Args:
        ended: it has ended by itself, properly.
        alive: its process lives.
        silent_seconds: for how long it has neither recorded anything nor gone ahead.
        stall_seconds: for how long it may: to the second, it has not stalled yet.
    """
    if ended:
        return RunState.DONE
    if not alive:
        return RunState.CRASHED
    return RunState.STALLED if silent_seconds > stall_seconds else RunState.LIVE


def stalled(state: RunState, last: int, stall_seconds: float) -> RunState:
    """Return the state of a run whose job is running: one that lives and has been silent for too long has stalled.

    ``state`` is that of its process, ``last`` the Unix time in ns of the last record or progress.
    """
    if state is not RunState.LIVE:
        return state
    silent_seconds = (time_ns() - last) / 1e9
    return classify(ended=False, alive=True, silent_seconds=silent_seconds, stall_seconds=stall_seconds)


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


def run_state(folder: Path, *, ended: bool | None = None, run: Run | None = None) -> RunState:
    """Return the state of a journal's process: the only place where this is decided.

    The holder of the journal's lock is alive, since the kernel releases it at death; a process id means nothing in
    another container.

    Args:
        folder: the journal's.
        ended: whether the journal's end has been read, if the caller has just read it.
        run: the journal's run, if it was read before.
    """
    if is_alive(folder, run):
        return classify(ended=False, alive=True)
    if ended is None:
        ended = last_sequences(folder)[1]
    if not ended and not segment_numbers(folder):
        # Delivered and deleted: the cursors remember what its end was like.
        cursors = [read_cursor(folder, signal) for signal in Signal]
        ended = all(cursor.complete and not cursor.killed for cursor in cursors)
    return classify(ended=ended, alive=False)


def emitted_records(folder: Path) -> int:
    """Return how many records a journal was given, evicted and damaged ones included."""
    known = [read_cursor(folder, signal).sequence for signal in Signal]
    return sum(map(max, known, last_sequences(folder)[0]))
