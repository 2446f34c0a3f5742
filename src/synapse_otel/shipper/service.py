"""The shipper: claims the journals of its destination and delivers them, one thread a signal."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Final

from synapse_otel.journal.files.lock_holder import Role, SignOfLife
from synapse_otel.journal.folder import is_gone
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper.claimed_journal import ClaimedJournal
from synapse_otel.shipper.claims import Claims
from synapse_otel.shipper.configuration import ShipperConfiguration
from synapse_otel.shipper.delivery_thread import POLL_SECONDS, DeliveryThread
from synapse_otel.shipper.pipelines.signal_sender import Say, SignalSender
from synapse_otel.shipper.process_watch import ProcessWatch, can_watch
from synapse_otel.shipper.retention import Retention
from synapse_otel.shipper.throttle import AT_ONCE, LOW_MEMORY, Throttle
from synapse_otel.shipper.usage.sampler import Sampler

QUIET_POLL_SECONDS: Final = 0.2
"""How often one thread looks for all of them, when nothing was written for a while..."""
SLOW_POLL_SECONDS: Final = 0.4
"""... and for a longer while. A process' death is seen within that time."""
SCAN_SECONDS: Final = 0.5
SYNC_SECONDS: Final = 1.0
RETAIN_SECONDS: Final = 30.0
_FIRST_RETAIN_SECONDS: Final = 2.0
_RETAIN_SHARE: Final = 1000
"""Looking after the folders takes a thousandth of the time at most, however many there are."""
_SLOW_SECONDS: Final = 5.0
_REPORTS: Final = 1_000


class Shipper:
    """Delivers the journals of one destination, from the folders in which journals may stand."""

    def __init__(
        self,
        configuration: ShipperConfiguration,
        say: Say,
        *,
        throttle: Throttle | None = None,
        role: Role = Role.THREAD,
        sign: SignOfLife | None = None,
    ) -> None:
        """Begin.

        Args:
            configuration: what it delivers, and where to.
            say: takes a line.
            throttle: how it shares its process with a job; None: it has the process for itself.
            role: where it runs.
            sign: what it gives its signs of life by, besides those at its journals.
        """
        destination, interval_seconds = configuration.destination, configuration.interval_seconds
        if throttle is None:
            throttle = LOW_MEMORY if destination.speaks_grpc else AT_ONCE
        self._sampler = Sampler(configuration.usage_seconds, say) if configuration.usage_seconds else None
        self._deaths: ProcessWatch | None = None
        self._interval = interval_seconds
        self._role = role
        self._sign = sign
        self._say = say
        self.throttle = throttle
        taken = self._sampler.attach if self._sampler is not None else None
        self._journals = Claims(
            map(Path, configuration.roots),
            configuration.key,
            interval_seconds=interval_seconds,
            report=self._report,
            throttle=throttle,
            role=role,
            taken=taken,
        )
        self._retention = Retention(self._journals.roots, configuration.key, configuration.limits, say)
        self._stop = Event()
        self._threads = {
            signal: DeliveryThread(
                signal,
                SignalSender(destination, signal, say, throttle=throttle),
                self._journals,
                interval_seconds=interval_seconds,
                throttle=throttle,
                report=self._report,
                stop=self._stop,
            )
            for signal in Signal
        }
        self._reported: set[str] = set()
        self._left_behind: set[Path] = set()
        """Folders of runs that it left because delivering them failed for too long."""

    # --- running ------------------------------------------------------------------------------------

    def run(self, *, idle_seconds: float | None, failing_seconds: float | None = None) -> None:
        """Deliver until `stop`, or until nobody is alive and nothing has been delivered for a while.

        Args:
            idle_seconds: For how long there must have been nothing at all to do; None: it never leaves.
            failing_seconds: For how long every attempt must have failed; None: it never gives up.
        """
        self._deaths = ProcessWatch() if can_watch() and not self.throttle.in_job else None
        self.start()
        busy = hopeful = stirred = time.monotonic()
        scanned = synced = 0.0
        retain = busy + _FIRST_RETAIN_SECONDS
        while not self._stop.is_set():
            now = time.monotonic()
            if now - scanned >= SCAN_SECONDS or self._journals.advances:
                with self.throttle.turn():
                    found = self._try(self._scan)
                if found:
                    stirred = now
                scanned = now
            in_hand = self._journals.in_hand
            self._sample(in_hand)
            with self.throttle.turn():
                stirs = any(journal.stirs() for journal in in_hand)
            if stirs:
                self._wake_all()
                stirred = now
            if now - synced >= SYNC_SECONDS:
                self._maintain(in_hand)
                synced = now
                hopeful = max([hopeful, *(now if not one.ended else one.moved for one in in_hand if one.has_moved)])
            if now >= retain:
                self._try(self._retain)
                retain = now + max(RETAIN_SECONDS, _RETAIN_SHARE * (time.monotonic() - now))
            if in_hand:
                busy = now
            else:
                hopeful = now
            if idle_seconds is not None and now - busy >= idle_seconds:
                break
            if failing_seconds is not None and now - hopeful >= failing_seconds:
                self._leave_behind(failing_seconds)
                break
            self._wait(self._look_seconds(now - stirred) if in_hand else SCAN_SECONDS)
        self.stop()

    def _wait(self, seconds: float) -> None:
        if self._deaths is None:
            self._stop.wait(seconds)
        else:
            self._deaths.wait(seconds)

    def _look_seconds(self, quiet_seconds: float) -> float:
        """Return after how long to look at the claimed journals again."""
        if self._journals.advances:
            return POLL_SECONDS
        return QUIET_POLL_SECONDS if quiet_seconds < _SLOW_SECONDS else SLOW_POLL_SECONDS

    def start(self) -> None:
        """Start the threads that deliver."""
        for thread in self._threads.values():
            thread.start()

    def stop(self) -> None:
        """Stop, and let go of all journals."""
        self._stop.set()
        self._wake_all()
        for thread in self._threads.values():
            thread.join()
        self._journals.release()
        if self._sampler is not None:
            self._sampler.close()
        deaths, self._deaths = self._deaths, None
        if deaths is not None:
            deaths.close()

    def stop_soon(self) -> None:
        """Ask `run` to stop; safe in a signal handler."""
        self._stop.set()
        if self._deaths is not None:
            self._deaths.wake()

    def finds_work(self) -> bool:
        """Look, after it has stopped, whether a journal waits that nobody has claimed, and that it did not give up."""
        fresh = Claims(self._journals.roots, self._journals.key, interval_seconds=self._interval, report=self._report)
        self._try(fresh.scan)
        found = fresh.known - self._left_behind
        fresh.release()
        return bool(found)

    def deliver_once(self, folder: Path, *, until: float | None = None) -> bool:
        """Try now, once, to deliver all that a journal holds, also one that was recorded for another destination.

        An earlier failure does not count, unless the server has asked to be left alone for a while.

        Args:
            folder: the journal's.
            until: monotonic time at which it leaves what is left.

        Returns:
            whether it could be tried; False if another shipper has claimed the journal.

        Raises:
            OSError: the journal cannot be read or written.
        """
        journal = ClaimedJournal.take(folder, interval_seconds=self._interval, role=self._role)
        if journal is None:
            return False
        try:
            journal.settle()
            # The metrics last: they tell what has become of the others.
            for signal in sorted(Signal, key=lambda signal: signal == Signal.METRICS):
                sender = self._threads[signal].sender
                sender.hurry()
                sender.folder = folder
                pipeline = journal.pipelines[signal]
                pipeline.hurry()
                with self.throttle.turn():
                    while pipeline.step(sender, ended=journal.ended):
                        pipeline.hurry()
                        journal.beat()
                        if until is not None and time.monotonic() >= until:
                            break
            journal.sync()
            journal.clean()
        finally:
            journal.close()
        return True

    def _sample(self, in_hand: list[ClaimedJournal]) -> None:
        if self._sampler is not None:
            self._sampler.look(in_hand)

    # --- looking after the journals -----------------------------------------------------------------

    def _scan(self) -> bool:
        """Look for journals; return whether there is a new one."""
        new = self._journals.scan()
        if new:
            self._wake_all()
        return new

    def _maintain(self, in_hand: list[ClaimedJournal]) -> None:
        if self._deaths is not None:
            self._deaths.follow(journal.folder for journal in in_hand if not journal.ended)
        if any(thread.is_stuck for thread in self._threads.values()):
            return
        if self._sign is not None:
            self._sign.beat()
        for journal in in_hand:
            journal.beat()
            try:
                if not journal.leaves:
                    journal.sync()
                    with self.throttle.turn():
                        journal.clean()
            except OSError as error:
                self._report(journal.folder, error)
            if is_gone(journal.folder) and self._journals.let_go(journal):
                self._say(f"{journal.folder.name} was deleted: what it still held is lost")

    def _retain(self) -> None:
        """Delete what is delivered and no longer to be kept, and what is beyond the budget."""
        in_hand = {journal.folder: journal for journal in self._journals.in_hand}
        for folder in self._retention.look_after(in_hand):
            self._journals.forget(folder)
        for thread in self._threads.values():
            thread.keep_failures(in_hand)

    def _leave_behind(self, seconds: float) -> None:
        self._left_behind = self._journals.known
        self._say(
            f"nothing could be delivered for {seconds / 3600:.3g} h and no job lives: "
            f"{len(self._left_behind):,} journals wait for the next job, or for `synapse-otel sync`"
        )

    def _wake_all(self) -> None:
        for thread in self._threads.values():
            thread.wake()

    def _try(self, work: Callable[[], object]) -> object:
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - the shipper lives as long as it is needed
            self._report(None, error)
            return None

    def _report(self, folder: Path | None, error: Exception) -> None:
        text = f"{folder.name}: " if folder is not None else ""
        text += f"{type(error).__name__}: {error}"
        if text not in self._reported and len(self._reported) < _REPORTS:
            self._reported.add(text)
            self._say(text)
