"""The shipper: finds the journals of its destination and delivers them, one thread a signal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Final

from synapse_otel.journal.cursor import read_cursor
from synapse_otel.journal.folder import read_run, run_folders
from synapse_otel.journal.frames import Signal
from synapse_otel.shipper.destination import Destination
from synapse_otel.shipper.retention import KEPT_RUNS, delete_leftovers, delete_run
from synapse_otel.shipper.signal_sender import Say, SignalSender
from synapse_otel.shipper.tracked import TrackedJournal

POLL_SECONDS: Final = 0.05
QUIET_POLL_SECONDS: Final = 0.2
"""How often one thread looks for all of them, when nothing was written for a while."""
LONGEST_POLL_SECONDS: Final = 1.0
SCAN_SECONDS: Final = 0.5
SYNC_SECONDS: Final = 1.0
PRUNE_SECONDS: Final = 30.0
_QUIET_SECONDS: Final = 2.0
_LONGEST_WAIT_SECONDS: Final = 60.0
_REPORTS: Final = 1_000
_MTIME_TICK_NS: Final = 1_000_000_000
"""Two changes of a folder within a tick of the file system's clock look like one."""


class Shipper:
    """Delivers the journals of one destination, from the folders in which journals may stand."""

    def __init__(
        self,
        roots: Iterable[Path],
        destination: Destination,
        key: str,
        *,
        interval_seconds: float,
        say: Say,
        kept_runs: int = KEPT_RUNS,
    ) -> None:
        self._roots = list(dict.fromkeys(roots))
        self._key = key
        self._interval = interval_seconds
        self._say = say
        self._lock = Lock()
        self._journals: dict[Path, TrackedJournal] = {}
        self._kept_runs = kept_runs
        self._complete: set[Path] = set()
        self._others: set[Path] = set()
        """Folders of runs for other destinations, which other shippers deliver."""
        self._listed: dict[Path, int] = {}
        """By root, when it had changed last when it was listed with nothing left to wait for."""
        self._failures: dict[tuple[Path, Signal], tuple[int, float]] = {}
        """Errors in a row of a journal's lane, and the time before which it is left alone."""
        self._stop = Event()
        self._wakes = {signal: Event() for signal in Signal}
        self._busy = time.monotonic()
        self._senders = {signal: SignalSender(destination, signal, say) for signal in Signal}
        self._threads: list[Thread] = []
        self._reported: set[str] = set()

    # --- running ------------------------------------------------------------------------------------

    def run(self, *, idle_seconds: float | None) -> None:
        """Deliver until `stop`, or until there has been nothing to deliver and nobody alive for a while."""
        self.start()
        scanned = synced = pruned = 0.0
        while not self._stop.is_set():
            now = time.monotonic()
            if now - scanned >= SCAN_SECONDS:
                self._try(self.scan)
                scanned = now
            elif any(journal.stirs() for journal in self._in_hand()):
                self._wake_all()
            if now - synced >= SYNC_SECONDS:
                self._maintain()
                synced = now
            if now - pruned >= PRUNE_SECONDS:
                self._try(self._prune)
                pruned = now
            if self._journals:
                self._busy = now
            if idle_seconds is not None and now - self._busy >= idle_seconds:
                break
            self._stop.wait(QUIET_POLL_SECONDS if self._journals else SCAN_SECONDS)
        self.stop()

    def start(self) -> None:
        """Start the threads that deliver."""
        for signal in Signal:
            thread = Thread(target=self._deliver_forever, args=(signal,), name=f"ship-{signal.name}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Stop, and let go of all journals."""
        self._stop.set()
        self._wake_all()
        for thread in self._threads:
            thread.join()
        for sender in self._senders.values():
            sender.close()
        with self._lock:
            for journal in self._journals.values():
                journal.close()
            self._journals.clear()

    def stop_soon(self) -> None:
        """Ask `run` to stop; safe in a signal handler."""
        self._stop.set()

    def finds_work(self) -> bool:
        """Look whether a journal waits that nobody has in hand."""
        self._listed.clear()
        self._try(self.scan)
        with self._lock:
            found = bool(self._journals)
            for journal in self._journals.values():
                journal.close()
            self._journals.clear()
        return found

    def deliver_once(self, folder: Path) -> bool:
        """Try now, once, to deliver all that a journal holds, also one that was recorded for another destination.

        An earlier failure does not count, unless the server has asked to be left alone for a while.

        Returns:
            whether it could be tried; False if another shipper has the journal in hand.

        Raises:
            OSError: the journal cannot be read or written.
        """
        journal = TrackedJournal.take(folder, interval_seconds=self._interval)
        if journal is None:
            return False
        try:
            journal.settle()
            for signal, sender in self._senders.items():
                sender.hurry()
                sender.folder = folder
                lane = journal.lanes[signal]
                lane.hurry()
                while lane.step(sender, ended=journal.ended):
                    lane.hurry()
            journal.sync()
            journal.clean()
        finally:
            journal.close()
        return True

    # --- journals -----------------------------------------------------------------------------------

    def scan(self) -> None:
        """Take in hand the journals that are new, and let go of those that are complete."""
        for root in self._roots:
            self._list(root)
        with self._lock:
            finished = [journal for journal in self._journals.values() if journal.complete]
            for journal in finished:
                del self._journals[journal.folder]
        for journal in finished:
            self._complete.add(journal.folder)
            self._try(journal.clean)
            journal.close()

    def _list(self, root: Path) -> None:
        """Look for new runs in a root, if it has changed since there was nothing to wait for."""
        try:
            changed = root.stat().st_mtime_ns
        except FileNotFoundError:
            return
        if self._listed.get(root) == changed:
            return
        known = self._complete | self._others | self._journals.keys()
        new = list(run_folders(root, known))
        waits = [folder for folder in new if not self._take(folder)]
        if not waits and time.time_ns() - changed > _MTIME_TICK_NS:
            self._listed[root] = changed

    def _take(self, folder: Path) -> bool:
        """Take a journal in hand; return False if that has to be tried again later."""
        run = read_run(folder)
        if run is None:
            return False
        if run.destination != self._key:
            self._others.add(folder)
            return True
        if all(read_cursor(folder, signal).complete for signal in Signal):
            self._complete.add(folder)
            return True
        try:
            journal = TrackedJournal.take(folder, interval_seconds=self._interval)
        except Exception as error:  # noqa: BLE001 - one journal must not hold up the others
            self._report(folder, error)
            return False
        if journal is None:
            return False
        with self._lock:
            self._journals[folder] = journal
        self._wake_all()
        return True

    def _maintain(self) -> None:
        for journal in self._in_hand():
            try:
                journal.sync()
                journal.clean()
            except OSError as error:
                self._report(journal.folder, error)
            if not journal.folder.exists():
                self._let_go(journal)

    def _let_go(self, journal: TrackedJournal) -> None:
        self._say(f"{journal.folder.name} was deleted: what it still held is lost")
        with self._lock:
            self._journals.pop(journal.folder, None)
        journal.close()

    def _prune(self) -> None:
        """Delete the oldest runs that are delivered, as far as there are more than are to be kept."""
        for folder in sorted(self._complete, key=lambda folder: folder.name)[: -self._kept_runs]:
            if delete_run(folder):
                self._complete.discard(folder)
        for root in self._roots:
            delete_leftovers(root)

    # --- delivering ---------------------------------------------------------------------------------

    def _deliver_forever(self, signal: Signal) -> None:
        worked = time.monotonic()
        wake = self._wakes[signal]
        longest = min(LONGEST_POLL_SECONDS, self._interval / 4)
        while not self._stop.is_set():
            if self._deliver(signal) or wake.is_set():
                wake.clear()
                worked = time.monotonic()
            if time.monotonic() - worked < _QUIET_SECONDS:
                self._stop.wait(POLL_SECONDS)
            else:
                wake.wait(longest)

    def _in_hand(self) -> list[TrackedJournal]:
        with self._lock:
            return list(self._journals.values())

    def _wake_all(self) -> None:
        for wake in self._wakes.values():
            wake.set()

    def _deliver(self, signal: Signal) -> bool:
        """Give every journal's lane a turn; return whether anything was read."""
        sender = self._senders[signal]
        has_read = False
        for journal in self._in_hand():
            failed, not_before = self._failures.get((journal.folder, signal), (0, 0.0))
            if time.monotonic() < not_before:
                continue
            sender.folder = journal.folder
            try:
                journal.watch()
                lane = journal.lanes[signal]
                lane.step(sender, ended=journal.ended)
                has_read |= lane.has_read
                lane.has_read = False
            except Exception as error:  # noqa: BLE001 - one journal must not hold up the others
                self._report(journal.folder, error)
                wait = min(2.0**failed, _LONGEST_WAIT_SECONDS)
                self._failures[journal.folder, signal] = failed + 1, time.monotonic() + wait
            else:
                if failed:
                    del self._failures[journal.folder, signal]
        return has_read

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the shipper lives as long as it is needed
            self._report(None, error)

    def _report(self, folder: Path | None, error: Exception) -> None:
        text = f"{folder.name}: " if folder is not None else ""
        text += f"{type(error).__name__}: {error}"
        if text not in self._reported and len(self._reported) < _REPORTS:
            self._reported.add(text)
            self._say(text)
