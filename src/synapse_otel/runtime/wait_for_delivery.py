"""Waiting, at the end of a run or when a job asks for it, until what was recorded is delivered."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from synapse_otel.journal.account import Account, account_of
from synapse_otel.journal.cursor import Cursor, read_cursor
from synapse_otel.journal.folder import is_gone
from synapse_otel.journal.writer import JournalWriter
from synapse_otel.sdk.recorder import Recorder
from synapse_otel.semconv.signal import Signal

Cursors = Mapping[tuple[Path, Signal], Cursor]
"""By journal and signal: how far it is delivered."""
_POLL_SECONDS: Final = 0.01
_RESTART_SECONDS: Final = 1.0
_UNTRIED: Final = Cursor()
"""Of a journal that the run began, when its disk failed, after the wait was asked for."""


def cursors_of(journals: Iterable[JournalWriter]) -> Cursors:
    """Return how far journals are delivered; deleted ones are left out."""
    return {
        (journal.folder, signal): read_cursor(journal.folder, signal)
        for journal in journals
        if not is_gone(journal.folder)
        for signal in Signal
    }


def wait_for_delivery(
    recorder: Recorder, begin: Cursors, *, ended: bool, seconds: float, revive: Callable[[Path], None] | None
) -> Account:
    """Wait until everything is delivered, delivery turns out to be impossible now, or the time is used up.

    Args:
        recorder: Has the run.
        begin: How far it was delivered before this was asked for.
        ended: The run has ended: wait, too, for what its shipper adds at its end.
        seconds: The longest time to wait.
        revive: Starts a shipper for a journal, should none run any more.
    """
    journals = list(recorder.run.journals)
    folders = [journal.folder for journal in journals]
    emitted = sum(recorder.run.emitted())
    wanted = {(journal.folder, signal): journal.sequences[signal] for journal in journals for signal in Signal}
    now = time.monotonic()
    deadline, restart = now + seconds, now + _RESTART_SECONDS
    while time.monotonic() < deadline:
        waiting = [
            place
            for place, cursor in cursors_of(journals).items()
            if not (cursor.complete if ended else cursor.sequence >= wanted[place])
            and not (cursor.failure and cursor.attempts > begin.get(place, _UNTRIED).attempts)
        ]
        if not waiting:
            break
        if folders and revive is not None and time.monotonic() > restart:
            restart = deadline
            revive(folders[-1])
        time.sleep(_POLL_SECONDS)
    # Of a journal that somebody has deleted nobody knows how much had been delivered: nothing is claimed of it.
    deleted = sum(sum(journal.sequences) for journal in journals if is_gone(journal.folder))
    return account_of(folders, emitted, unwritten=recorder.run.unwritten + deleted)
