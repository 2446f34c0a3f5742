"""The shipper: finds the journals of its destination and delivers them, one thread a signal."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, Final

import msgspec

from synapse_otel.journal.cursor import read_cursor
from synapse_otel.journal.folder import QUARANTINE_FILE, read_run, run_folders
from synapse_otel.journal.frames import Signal
from synapse_otel.shipper.backoff import Backoff
from synapse_otel.shipper.destination import Destination
from synapse_otel.shipper.lane import Item
from synapse_otel.shipper.outcome import Accepted, Outcome, Refused, Retry
from synapse_otel.shipper.sender import Sender
from synapse_otel.shipper.tracked import TrackedJournal

POLL_SECONDS: Final = 0.05
IDLE_POLL_SECONDS: Final = 0.25
SCAN_SECONDS: Final = 0.5
SYNC_SECONDS: Final = 1.0
_QUIET_SECONDS: Final = 10.0

Say = Callable[[str], None]


class SignalSender:
    """Sends one signal of all journals: no earlier than the server wants, and says once what is wrong."""

    def __init__(self, destination: Destination, signal: Signal, say: Say) -> None:
        self._sender = Sender(destination, signal)
        self._backoff = Backoff()
        self._signal = signal
        self._say = say
        self._said = ""
        self.folder: Path | None = None
        """Journal that is being sent, for its quarantine."""

    def __call__(self, body: bytes) -> Outcome | None:
        """Send a request; None: too early after the last failure."""
        if self._backoff.remaining_seconds() > 0:
            return None
        outcome = self._sender.send(body)
        if isinstance(outcome, Retry | Refused):
            self._backoff.failed(outcome.after_seconds if isinstance(outcome, Retry) else None)
            if outcome.reason != self._said:
                self._said = outcome.reason
                self._say(f"{self._signal.name.lower()} wait: {outcome.reason}")
        elif isinstance(outcome, Accepted):
            self._backoff.succeeded()
            if self._said:
                self._said = ""
                self._say(f"{self._signal.name.lower()} are delivered again")
        return outcome

    def quarantine(self, item: Item, body: bytes, reason: str) -> None:
        """Keep what the server calls invalid beside its journal, as the request that it refused."""
        entry = {
            "signal": self._signal.name.lower(),
            "record": item.uid,
            "reason": reason,
            "time": time.time(),
            "request": base64.b64encode(body).decode(),
        }
        if self.folder is not None:
            path = self.folder / QUARANTINE_FILE
            with path.open("ab") as file:
                path.chmod(0o600)
                file.write(msgspec.json.encode(entry) + b"\n")
        self._say(f"a record of {self._signal.name.lower()} is in quarantine: {reason}")

    def hurry(self) -> None:
        """Forget the wait: somebody wants to know how it stands now."""
        self._backoff.succeeded()

    def close(self) -> None:
        """Close the connection."""
        self._sender.close()


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
    ) -> None:
        self._roots = list(dict.fromkeys(roots))
        self._key = key
        self._interval = interval_seconds
        self._say = say
        self._lock = Lock()
        self._journals: dict[Path, TrackedJournal] = {}
        self._done: set[Path] = set()
        self._own: dict[Path, Callable[[], bool]] = {}
        self._stop = Event()
        self._busy = time.monotonic()
        self._senders = {signal: SignalSender(destination, signal, say) for signal in Signal}
        self._threads: list[Thread] = []
        self._reported: set[str] = set()

    # --- running ------------------------------------------------------------------------------------

    def run(self, *, idle_seconds: float | None) -> None:
        """Deliver until `stop`, or until there has been nothing to deliver and nobody alive for a while."""
        self.start()
        synced = 0.0
        while not self._stop.is_set():
            self.scan()
            now = time.monotonic()
            if now - synced >= SYNC_SECONDS:
                self._maintain()
                synced = now
            with self._lock:
                if self._journals:
                    self._busy = now
            if idle_seconds is not None and now - self._busy >= idle_seconds:
                break
            self._stop.wait(SCAN_SECONDS)
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
        self.scan()
        with self._lock:
            found = bool(self._journals)
            for journal in self._journals.values():
                journal.close()
            self._journals.clear()
        return found

    def own(self, folder: Path, is_closed: Callable[[], bool]) -> None:
        """Take up a journal that this process writes itself."""
        self._own[folder] = is_closed

    def deliver_once(self, folder: Path) -> bool:
        """Try now, once, to deliver all that a journal holds, also one that was recorded for another destination.

        What went before does not count: nobody is left alone for a while because of an earlier failure.

        Returns:
            whether it could be tried; False if another shipper has the journal in hand.

        Raises:
            OSError: the journal cannot be read or written.
        """
        journal = TrackedJournal.take(folder, interval_seconds=self._interval)
        if journal is None:
            return False
        try:
            journal.watch()
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
            for folder in run_folders(root):
                if folder not in self._journals and folder not in self._done:
                    self._take(folder)
        for folder, is_closed in list(self._own.items()):
            if folder in self._journals and is_closed():
                self._journals[folder].end()
        with self._lock:
            for folder in [folder for folder, journal in self._journals.items() if journal.complete]:
                journal = self._journals.pop(folder)
                journal.clean()
                journal.close()
                self._done.add(folder)

    def _take(self, folder: Path) -> None:
        run = read_run(folder)
        if run is None or run.destination != self._key:
            return
        if all(read_cursor(folder, signal).complete for signal in Signal):
            self._done.add(folder)
            return
        try:
            journal = TrackedJournal.take(folder, interval_seconds=self._interval, own=folder in self._own)
        except OSError as error:
            self._say(f"{folder.name} cannot be delivered: {error}")
            self._done.add(folder)
            return
        if journal is not None:
            with self._lock:
                self._journals[folder] = journal

    def _maintain(self) -> None:
        with self._lock:
            journals = list(self._journals.values())
        for journal in journals:
            try:
                journal.sync()
                journal.clean()
            except OSError as error:
                self._say(f"{journal.folder.name}: {error}")

    # --- delivering ---------------------------------------------------------------------------------

    def _deliver_forever(self, signal: Signal) -> None:
        quiet_since = time.monotonic()
        while not self._stop.is_set():
            if self._deliver(signal):
                quiet_since = time.monotonic()
            idle = not self._journals or time.monotonic() - quiet_since > _QUIET_SECONDS
            self._stop.wait(IDLE_POLL_SECONDS if idle else POLL_SECONDS)

    def _deliver(self, signal: Signal) -> bool:
        """Give every journal's lane a turn; return whether anything was accepted."""
        with self._lock:
            journals = list(self._journals.values())
        sender = self._senders[signal]
        accepted = False
        for journal in journals:
            sender.folder = journal.folder
            journal.watch()
            try:
                accepted |= journal.lanes[signal].step(sender, ended=journal.ended)
            except Exception as error:  # noqa: BLE001 - one journal must not hold up the others
                self._report(journal, error)
        return accepted

    def _report(self, journal: TrackedJournal, error: Exception) -> None:
        text = f"{journal.folder.name}: {type(error).__name__}: {error}"
        if text not in self._reported:
            self._reported.add(text)
            self._say(text)

