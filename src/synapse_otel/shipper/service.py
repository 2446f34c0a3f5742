"""The shipper: takes the journals of its destination in hand and delivers them, one thread a signal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Event, Thread
from typing import Final

from synapse_otel.journal.files.lock_holder import Role, SignOfLife
from synapse_otel.journal.folder import is_gone
from synapse_otel.otlp.destination import Destination
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper.claimed_journal import ClaimedJournal
from synapse_otel.shipper.claims import Claims
from synapse_otel.shipper.configuration import Limits
from synapse_otel.shipper.pipelines.signal_sender import Say, SignalSender
from synapse_otel.shipper.process_watch import ProcessWatch, can_watch
from synapse_otel.shipper.retention import Retention
from synapse_otel.shipper.throttle import AT_ONCE, Throttle
from synapse_otel.shipper.usage.sampler import Sampler

POLL_SECONDS: Final = 0.05
QUIET_POLL_SECONDS: Final = 0.2
"""How often one thread looks for all of them, when nothing was written for a while..."""
SLOW_POLL_SECONDS: Final = 0.4
"""... and for a longer while. A process' death is seen within that time."""
LONGEST_POLL_SECONDS: Final = 1.0
"""How often a thread tries again what waits."""
SCAN_SECONDS: Final = 0.5
SYNC_SECONDS: Final = 1.0
RETAIN_SECONDS: Final = 30.0
HELD_BYTES: Final = 2 << 20
"""What was read of a signal and is not accepted, of all journals: beyond it no further journal is read..."""
HELD_BYTES_AWAITED: Final = 3 * HELD_BYTES
"""... and beyond this not even one that somebody waits for."""
_FIRST_RETAIN_SECONDS: Final = 2.0
_RETAIN_SHARE: Final = 1000
"""Looking after the folders takes a thousandth of the time at most, however many there are."""
_QUIET_SECONDS: Final = 2.0
_SLOW_SECONDS: Final = 5.0
_ASLEEP_SECONDS: Final = 30.0
_LONGEST_WAIT_SECONDS: Final = 60.0
_REPORTS: Final = 1_000
_STUCK_SECONDS: Final = 600.0
"""Requests have time-outs, and a batch of records that a server fails on takes some tens of them to be halved."""


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
        limits: Limits = Limits(),  # noqa: B008 - immutable
        throttle: Throttle = AT_ONCE,
        usage_seconds: float = 0,
        role: Role = Role.THREAD,
        sign: SignOfLife | None = None,
    ) -> None:
        """Begin.

        Args:
            roots: the folders.
            destination: where to.
            key: what names it in the journals.
            interval_seconds: between two exports of the progress.
            say: takes a line.
            limits: how much is kept.
            throttle: how it shares its process with a job.
            usage_seconds: between two samples of what jobs use; 0: none are taken.
            role: where it runs.
            sign: what it gives its signs of life by, besides those at its journals.
        """
        self._sampler = Sampler(usage_seconds, say) if usage_seconds else None
        self._deaths: ProcessWatch | None = None
        self._interval = interval_seconds
        self._role = role
        self._sign = sign
        self._say = say
        self.throttle = throttle
        taken = self._sampler.attach if self._sampler is not None else None
        self._journals = Claims(
            roots,
            key,
            interval_seconds=interval_seconds,
            report=self._report,
            throttle=throttle,
            role=role,
            taken=taken,
        )
        self._retention = Retention(self._journals.roots, key, limits, say)
        self._failures: dict[tuple[Path, Signal], tuple[int, float]] = {}
        """Errors in a row of a journal's pipeline, and the time before which it is left alone."""
        self._steps: dict[Signal, float] = {}
        """Since when, in monotonic seconds, a signal's thread has been working on one journal."""
        self._stop = Event()
        self._wakes = {signal: Event() for signal in Signal}
        self._senders = {signal: SignalSender(destination, signal, say, throttle=throttle) for signal in Signal}
        self._threads: list[Thread] = []
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
        """Return after how long to look at the journals in hand again."""
        if self._journals.advances:
            return POLL_SECONDS
        return QUIET_POLL_SECONDS if quiet_seconds < _SLOW_SECONDS else SLOW_POLL_SECONDS

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
        """Look, after it has stopped, whether a journal waits that nobody has in hand, and that it did not give up."""
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
            whether it could be tried; False if another shipper has the journal in hand.

        Raises:
            OSError: the journal cannot be read or written.
        """
        journal = ClaimedJournal.take(folder, interval_seconds=self._interval, role=self._role)
        if journal is None:
            return False
        try:
            journal.settle()
            # The metrics last: they tell what has become of the others.
            for signal, sender in sorted(self._senders.items(), key=lambda item: item[0] == Signal.METRICS):
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
        if self._is_stuck():
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

    def _is_stuck(self) -> bool:
        """Say whether a thread has been working on one journal for so long that no more signs of life are given."""
        return any(time.monotonic() - since > _STUCK_SECONDS for since in list(self._steps.values()))

    def _retain(self) -> None:
        """Delete what is delivered and no longer to be kept, and what is beyond the budget."""
        in_hand = {journal.folder: journal for journal in self._journals.in_hand}
        for folder in self._retention.look_after(in_hand):
            self._journals.forget(folder)
        for place in [place for place in self._failures if place[0] not in in_hand]:
            del self._failures[place]

    def _leave_behind(self, seconds: float) -> None:
        self._left_behind = self._journals.known
        self._say(
            f"nothing could be delivered for {seconds / 3600:.3g} h and no job lives: "
            f"{len(self._left_behind):,} journals wait for the next job, or for `synapse-otel sync`"
        )

    # --- delivering ---------------------------------------------------------------------------------

    def _deliver_forever(self, signal: Signal) -> None:
        wake = self._wakes[signal]
        worked = time.monotonic()
        while True:
            wake.clear()
            if self._stop.is_set():  # looked at behind the clearing: `stop` sets both, this one first
                return
            with self.throttle.turn():
                has_read = self._deliver(signal)
            if has_read:
                worked = time.monotonic()
            if time.monotonic() - worked < _QUIET_SECONDS:
                self._stop.wait(POLL_SECONDS)
            else:
                wake.wait(self._pause(signal))

    def _pause(self, signal: Signal) -> float:
        """Return for how many seconds a signal needs no look unless something stirs."""
        in_hand = self._journals.in_hand
        if any(journal.pipelines[signal].waits for journal in in_hand) or self._failures:
            return min(LONGEST_POLL_SECONDS, self._interval / 4)
        due = min((journal.pipelines[signal].due_in_seconds() for journal in in_hand), default=_ASLEEP_SECONDS)
        return min(max(due, POLL_SECONDS), _ASLEEP_SECONDS)

    def _wake_all(self) -> None:
        for wake in self._wakes.values():
            wake.set()

    def _deliver(self, signal: Signal) -> bool:
        """Give every journal's pipeline a turn; return whether anything was read."""
        sender = self._senders[signal]
        in_hand = self._journals.in_hand
        held = sum(journal.pipelines[signal].held_bytes for journal in in_hand)
        has_read = False
        for journal in in_hand:
            pipeline = journal.pipelines[signal]
            if not pipeline.held_bytes and held > (HELD_BYTES_AWAITED if pipeline.awaited else HELD_BYTES):
                continue
            failed, not_before = self._failures.get((journal.folder, signal), (0, 0.0))
            if time.monotonic() < not_before or self._stop.is_set():
                continue
            sender.folder = journal.folder
            held -= pipeline.held_bytes
            self._steps[signal] = time.monotonic()
            try:
                has_read |= self._step(journal, signal)
            except Exception as error:  # noqa: BLE001 - one journal must not hold up the others
                self._report(journal.folder, error)
                wait = min(2.0**failed, _LONGEST_WAIT_SECONDS)
                self._failures[journal.folder, signal] = failed + 1, time.monotonic() + wait
            else:
                self._failures.pop((journal.folder, signal), None)
            finally:
                self._steps.pop(signal, None)
            held += pipeline.held_bytes
        return has_read

    def _step(self, journal: ClaimedJournal, signal: Signal) -> bool:
        """Give a journal's pipeline its turn, or as many as the throttle allows; whether it has read."""
        has_read = False
        most = self.throttle.batches_of_ended if journal.ended else self.throttle.batches
        for _ in range(most):
            has_read |= (found := journal.step(signal, self._senders[signal]))
            if not (found and most > 1 and journal.pipelines[signal].stirs()):
                break
        return has_read

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
