"""The journals of one destination: found below the roots, claimed, and released when they are delivered."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from math import inf
from pathlib import Path
from threading import Lock
from typing import Final

from synapse_otel.journal.cursor import read_cursor
from synapse_otel.journal.files.lock_holder import Role
from synapse_otel.journal.folder import RUN_FILE, is_gone, read_run, segment_numbers
from synapse_otel.journal.liveness import is_alive
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper.claimed_journal import ClaimedJournal, has_come_back
from synapse_otel.shipper.configuration import lock_path
from synapse_otel.shipper.pipelines.shared_chunks import SharedChunks
from synapse_otel.shipper.throttle import AT_ONCE, Throttle

DEAD_IN_HAND: Final = 16
"""Claimed journals of ended processes at a time: each takes files and memory, and thousands may wait."""
TURN_SECONDS: Final = 30.0
"""A journal without progress for this time makes room for the next one: a signal's server may be down for days."""
_SOON_SECONDS: Final = 0.5
_ADVANCES_SECONDS: Final = 1.0
_LATER_SECONDS: Final = 30.0
_DOUBT_SECONDS: Final = 5.0
"""How often to check whether a process that was presumed dead, and is not visible, has written more."""
_MTIME_TICK_NS: Final = 1_000_000_000
"""Two changes of a folder within a tick of the file system's clock look like one."""

Report = Callable[[Path | None, Exception], None]


class Claims:
    """The journals of one destination, and which of them are claimed."""

    def __init__(
        self,
        roots: Iterable[Path],
        key: str,
        *,
        interval_seconds: float,
        report: Report,
        throttle: Throttle = AT_ONCE,
        role: Role = Role.THREAD,
        taken: Callable[[ClaimedJournal], None] | None = None,
    ) -> None:
        """Begin without a claimed journal.

        Args:
            roots: the folders that may contain journals.
            key: the key of the destination in the journals.
            interval_seconds: between two exports of the progress.
            report: called with each failure and its journal.
            throttle: how much of the process the job leaves to the shipper.
            role: where the shipper runs.
            taken: called with each claimed journal.
        """
        self._taken = taken
        self.roots = list(dict.fromkeys(roots))
        self.complete: set[Path] = set()
        """Folders of runs that are delivered."""
        self.key = key
        self._interval = interval_seconds
        self._report = report
        self._pace = throttle
        self._role = role
        self._chunks = SharedChunks(throttle.read_bytes + (throttle.read_bytes >> 2))
        self._nudged = self._nudges()
        self._lock = Lock()
        self._in_hand: dict[Path, ClaimedJournal] = {}
        self._completed = -inf
        """Monotonic time at which the last delivered journal was released."""
        self._others: set[Path] = set()
        """Folders of runs for other destinations, which other shippers deliver."""
        self._queue: dict[Path, None] = {}
        """Folders of runs that have ended and wait for their turn."""
        self._again: dict[Path, float] = {}
        """Folders to check again, with the monotonic time of the check."""
        self._listed: dict[Path, int] = {}
        """By root, when it had changed last when it was listed."""

    @property
    def in_hand(self) -> list[ClaimedJournal]:
        """The claimed journals."""
        with self._lock:
            return list(self._in_hand.values())

    @property
    def known(self) -> set[Path]:
        """Folders of the runs that are claimed or queued."""
        with self._lock:
            return {*self._in_hand, *self._queue}

    @property
    def advances(self) -> bool:
        """Whether some wait for their turn while others are being delivered: it is worth looking often."""
        return bool(self._queue) and time.monotonic() - self._completed < _ADVANCES_SECONDS

    def scan(self) -> bool:
        """Release delivered journals and claim new ones; return whether there are new ones."""
        for journal in self.in_hand:
            if journal.complete:
                journal.clean()
                if journal.saved and self.let_go(journal):
                    self.complete.add(journal.folder)
                    self._completed = time.monotonic()
                    if journal.is_doubtful:
                        self._again[journal.folder] = time.monotonic() + _DOUBT_SECONDS
            elif journal.leaves and self.let_go(journal):
                self._again[journal.folder] = time.monotonic() + _SOON_SECONDS
        if (nudged := self._nudges()) != self._nudged:
            self._nudged = nudged
            self._others.clear()
            self._listed.clear()
        before = len(self._in_hand)
        for root in self.roots:
            try:
                self._list(root)
            except OSError as error:
                self._report(None, error)  # the others can be looked into all the same
        now = time.monotonic()
        for folder in [folder for folder, due in self._again.items() if now >= due]:
            del self._again[folder]
            self._try_to_look(folder)
        self._next_in_turn(now)
        return len(self._in_hand) > before

    def let_go(self, journal: ClaimedJournal) -> bool:
        """Release a journal; return False if one of its pipelines is being delivered right now."""
        if not journal.close():
            return False
        with self._lock:
            self._in_hand.pop(journal.folder, None)
        return True

    def release(self) -> None:
        """Release all journals, after delivery has stopped."""
        with self._lock:
            for journal in self._in_hand.values():
                journal.close()
            self._in_hand.clear()

    def forget(self, folder: Path) -> None:
        """Forget a run whose folder was deleted."""
        self.complete.discard(folder)
        self._others.discard(folder)
        self._queue.pop(folder, None)
        self._again.pop(folder, None)

    def _nudges(self) -> list[int]:
        """Return, by root, when `look_again` was last called for it."""
        found = []
        for root in self.roots:
            try:
                found.append(lock_path(root, self.key).stat().st_mtime_ns)
            except OSError:
                found.append(0)
        return found

    def _list(self, root: Path) -> None:
        """Look for new runs in a root, if it has changed since it was listed."""
        try:
            changed = root.stat().st_mtime_ns
        except OSError:  # not there, or not to be looked into: another root may be
            return
        if self._listed.get(root) == changed:
            return
        known = self.complete | self._others | self._in_hand.keys() | self._queue.keys() | self._again.keys()
        for name in sorted(os.listdir(root)):
            folder = root / name
            if not name.startswith(".") and folder not in known:
                self._try_to_look(folder)
        if time.time_ns() - changed > _MTIME_TICK_NS:
            self._listed[root] = changed

    def _try_to_look(self, folder: Path) -> None:
        """Decide what to do with a folder; try again later if it cannot be read now."""
        try:
            if (folder / RUN_FILE).is_file() or segment_numbers(folder):
                self._look(folder)
        except OSError as error:
            self._report(folder, error)
            self._again[folder] = time.monotonic() + _LATER_SECONDS

    def _look(self, folder: Path) -> None:
        """Decide what to do with a run."""
        run = read_run(folder)
        cursors = [read_cursor(folder, signal) for signal in Signal]
        if run is None:
            if not is_gone(folder):
                self._again[folder] = time.monotonic() + _LATER_SECONDS
        elif run.destination != self.key:
            self._others.add(folder)
        elif all(cursor.complete for cursor in cursors) and not has_come_back(folder, cursors):
            self.complete.add(folder)
            if any(cursor.killed for cursor in cursors) and segment_numbers(folder) and not run.keep:
                self._again[folder] = time.monotonic() + _DOUBT_SECONDS
        elif is_alive(folder, run):
            self._take(folder)
        else:
            self._queue[folder] = None

    def _take(self, folder: Path) -> None:
        self.complete.discard(folder)
        try:
            journal = ClaimedJournal.take(folder, interval_seconds=self._interval, role=self._role, chunks=self._chunks)
        except Exception as error:  # noqa: BLE001 - one journal must not hold up the others
            self._report(folder, error)
            self._again[folder] = time.monotonic() + _LATER_SECONDS
            return
        if journal is None:
            self._again[folder] = time.monotonic() + _SOON_SECONDS
            return
        if journal.destination != self.key:  # since it was looked at
            journal.close()
            self._others.add(folder)
            return
        for pipeline in journal.pipelines.values():
            pipeline.throttle = self._pace
        if self._taken is not None:
            self._taken(journal)
        with self._lock:
            self._in_hand[folder] = journal

    def _next_in_turn(self, now: float) -> None:
        """Claim queued journals, as far as the limit allows."""
        if not self._queue:
            return
        ended = [journal for journal in self.in_hand if journal.ended]
        for journal in ended:
            if now - journal.moved > TURN_SECONDS and self.let_go(journal):
                self._queue[journal.folder] = None
        room = DEAD_IN_HAND - sum(journal.ended for journal in self.in_hand)
        for folder in list(self._queue)[: max(room, 0)]:
            del self._queue[folder]
            self._take(folder)


def look_again(roots: Iterable[Path], key: str) -> None:
    """Ask a destination's shipper, if one runs, to check all runs again: one was redirected to it."""
    for root in roots:
        with suppress(OSError):
            os.utime(lock_path(root, key))
