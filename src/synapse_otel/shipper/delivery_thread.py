"""The thread that delivers one signal: it gives each journal's pipeline its turn, and sleeps when nothing stirs."""

from __future__ import annotations

import time
from collections.abc import Callable, Container
from pathlib import Path
from threading import Event, Thread
from typing import Final

from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper.claimed_journal import ClaimedJournal
from synapse_otel.shipper.claims import Claims
from synapse_otel.shipper.pipelines.signal_sender import SignalSender
from synapse_otel.shipper.throttle import Throttle

POLL_SECONDS: Final = 0.05
LONGEST_POLL_SECONDS: Final = 1.0
"""How often a thread tries again what waits."""
HELD_BYTES: Final = 2 << 20
"""What was read of a signal and is not accepted, of all journals: beyond it no further journal is read..."""
HELD_BYTES_AWAITED: Final = 3 * HELD_BYTES
"""... and beyond this not even one that somebody waits for."""
_QUIET_SECONDS: Final = 2.0
_ASLEEP_SECONDS: Final = 30.0
_LONGEST_WAIT_SECONDS: Final = 60.0
_STUCK_SECONDS: Final = 600.0
"""Requests have time-outs, and a batch of records that a server fails on takes some tens of them to be halved."""


class DeliveryThread:
    """Delivers one signal of all claimed journals."""

    def __init__(
        self,
        signal: Signal,
        sender: SignalSender,
        journals: Claims,
        *,
        interval_seconds: float,
        throttle: Throttle,
        report: Callable[[Path, Exception], None],
        stop: Event,
    ) -> None:
        """Prepare the thread; ``interval_seconds`` stand between two exports of the progress.

        ``report`` takes what went wrong with a journal; ``stop`` is set when it is to end, and `wake` has it look.
        """
        self.sender = sender
        self._signal = signal
        self._journals = journals
        self._interval = interval_seconds
        self._throttle = throttle
        self._report = report
        self._stop = stop
        self._wake = Event()
        self._thread: Thread | None = None
        self._working_since: float | None = None
        """Since when, in monotonic seconds, it has been working on one journal."""
        self._failures: dict[Path, tuple[int, float]] = {}
        """Errors in a row of a journal's pipeline, and the time before which it is left alone."""

    def start(self) -> None:
        """Start."""
        self._thread = Thread(target=self._run, name=f"ship-{self._signal.name}", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Have it look at once."""
        self._wake.set()

    def join(self) -> None:
        """Return when it has ended, and close its connection."""
        if self._thread is not None:
            self._thread.join()
        self.sender.close()

    @property
    def is_stuck(self) -> bool:
        """Whether it has been working on one journal for so long that no more signs of life are to be given."""
        since = self._working_since
        return since is not None and time.monotonic() - since > _STUCK_SECONDS

    def keep_failures(self, folders: Container[Path]) -> None:
        """Forget the failures of all other journals."""
        for folder in list(self._failures):
            if folder not in folders:
                self._failures.pop(folder, None)

    def _run(self) -> None:
        worked = time.monotonic()
        while True:
            self._wake.clear()
            if self._stop.is_set():  # looked at behind the clearing: who stops it sets both, this one first
                return
            with self._throttle.turn():
                has_read = self.deliver()
            if has_read:
                worked = time.monotonic()
            if time.monotonic() - worked < _QUIET_SECONDS:
                self._stop.wait(POLL_SECONDS)
            else:
                self._wake.wait(self._pause())

    def _pause(self) -> float:
        """Return for how many seconds no look is needed unless something stirs."""
        pipelines = [journal.pipelines[self._signal] for journal in self._journals.in_hand]
        if self._failures or any(pipeline.waits for pipeline in pipelines):
            return min(LONGEST_POLL_SECONDS, self._interval / 4)
        due = min((pipeline.due_in_seconds() for pipeline in pipelines), default=_ASLEEP_SECONDS)
        return min(max(due, POLL_SECONDS), _ASLEEP_SECONDS)

    def deliver(self) -> bool:
        """Give every journal's pipeline a turn; return whether anything was read."""
        in_hand = self._journals.in_hand
        held = sum(journal.pipelines[self._signal].held_bytes for journal in in_hand)
        has_read = False
        for journal in in_hand:
            pipeline = journal.pipelines[self._signal]
            if not pipeline.held_bytes and held > (HELD_BYTES_AWAITED if pipeline.awaited else HELD_BYTES):
                continue
            failed, not_before = self._failures.get(journal.folder, (0, 0.0))
            if time.monotonic() < not_before or self._stop.is_set():
                continue
            self.sender.folder = journal.folder
            held -= pipeline.held_bytes
            self._working_since = time.monotonic()
            try:
                has_read |= self._step(journal)
            except Exception as error:  # noqa: BLE001 - one journal must not hold up the others
                self._report(journal.folder, error)
                wait = min(2.0**failed, _LONGEST_WAIT_SECONDS)
                self._failures[journal.folder] = failed + 1, time.monotonic() + wait
            else:
                self._failures.pop(journal.folder, None)
            finally:
                self._working_since = None
            held += pipeline.held_bytes
        return has_read

    def _step(self, journal: ClaimedJournal) -> bool:
        """Give a journal's pipeline its turn, or as many as the throttle allows; return whether it has read."""
        has_read = False
        most = self._throttle.batches_of_ended if journal.ended else self._throttle.batches
        for _ in range(most):
            has_read |= (found := journal.step(self._signal, self.sender))
            if not (found and most > 1 and journal.pipelines[self._signal].stirs()):
                break
        return has_read
