"""Sends one signal of all journals: waits after a failure, reports it, and keeps the quarantine."""

from __future__ import annotations

import base64
import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from synapse_otel.journal.files.descriptors import open_file
from synapse_otel.journal.folder import QUARANTINE_FILE
from synapse_otel.notices import Check, explained_by
from synapse_otel.otlp.backoff import Backoff
from synapse_otel.otlp.destination import Destination
from synapse_otel.otlp.outcome import Accepted, Invalid, Outcome, Refused, Retry
from synapse_otel.otlp.senders import open_sender
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper.pipelines.poison_records import Tally
from synapse_otel.shipper.pipelines.queue import Item
from synapse_otel.shipper.self_telemetry import EXPORTERS
from synapse_otel.shipper.throttle import AT_ONCE, Throttle

Say = Callable[[str], None]


class SignalSender:
    """Sends one signal of all journals: no earlier than the server asks, and reports each failure once."""

    def __init__(
        self,
        destination: Destination,
        signal: Signal,
        say: Say,
        clock: Callable[[], float] = time.monotonic,
        throttle: Throttle = AT_ONCE,
    ) -> None:
        self._sender = open_sender(destination, signal)
        self.exporter = EXPORTERS[destination.endpoint(signal).protocol]
        """What OpenTelemetry calls an exporter of this kind."""
        self._clock = clock
        self._pace = throttle
        self._backoff = Backoff(clock=clock)
        self._signal = signal
        self._say = say
        self._said = ""
        self._asked_until = 0.0
        self._tally = Tally()
        self._invalid = 0
        """Requests in a row that the server called invalid."""
        self._failed: Path | None = None
        """Journal whose request failed last: the others that wait come first..."""
        self._failed_until = 0.0
        """... at most until then: they may have been deleted."""
        self._waiting: set[Path] = set()
        self.folder: Path | None = None
        """Journal that is being sent, for its quarantine."""

    def ready(self) -> bool:
        """Return whether the wait after the last failure is over, and it is this journal's turn.

        One journal whose records always fail must not use up every attempt.
        """
        if self._backoff.remaining_seconds() <= 0 and not self._yields():
            return True
        if self.folder is not None:
            self._waiting.add(self.folder)
        return False

    def tally(self) -> Tally:
        """Return how many requests were accepted and not accepted so far."""
        return self._tally

    def __call__(self, body: bytes, *, suspect: bool = False) -> Outcome | None:
        """Send a request; None: too early after the last failure."""
        if self._backoff.remaining_seconds() > 0:
            return None
        self._waiting.discard(self.folder or Path())
        with self._pace.away():
            outcome = self._sender.send(body)
        outcome = self._judged(outcome)
        if isinstance(outcome, Retry | Refused):
            self._tally = Tally(self._tally.accepted, self._tally.failed + 1)
            asked = outcome.after_seconds if isinstance(outcome, Retry) else None
            if not suspect or asked or isinstance(outcome, Refused):
                self._wait(outcome.reason, asked)
        elif isinstance(outcome, Accepted):
            self._tally = Tally(self._tally.accepted + 1, self._tally.failed)
            self._backoff.succeeded()
            if self._said:
                self._said = ""
                self._say(f"{self._signal.name.lower()} are delivered again")
        return outcome

    def _yields(self) -> bool:
        """Return whether this journal's request failed last, while another journal waits for its turn."""
        if self.folder != self._failed or self._clock() >= self._failed_until:
            return False
        return bool(self._waiting - {self.folder})

    def _judged(self, outcome: Outcome) -> Outcome:
        """Return what an answer means in the row of all: what calls every record invalid is set up wrongly."""
        if isinstance(outcome, Invalid):
            self._invalid += 1
            if self._invalid > _INVALID_IN_A_ROW:
                return Refused(f"the server rejects every record as invalid: {outcome.reason}")
        elif isinstance(outcome, Accepted):
            self._invalid = 0
        return outcome

    def _wait(self, reason: str, asked: float | None) -> None:
        now = self._clock()
        self._asked_until = now + (asked or 0.0)
        self._failed = self.folder
        self._failed_until = now + self._backoff.failed(asked) + _TURN_SECONDS
        if reason != self._said:
            self._said = reason
            self._say(f"{self._signal.name.lower()} wait: {reason}; {explained_by(Check.ENDPOINT)}")

    def quarantine(self, item: Item, body: bytes, reason: str) -> bool:
        """Keep a refused request in the quarantine file of its journal; False: it cannot be written."""
        entry = {
            "signal": self._signal.name.lower(),
            "record": item.uid,
            "reason": reason,
            "time": time.time(),
            "request": base64.b64encode(body).decode(),
        }
        if self.folder is not None:
            try:
                _append(self.folder / QUARANTINE_FILE, msgspec.json.encode(entry) + b"\n")
            except _FullError:
                reason += " (the quarantine is full: only the count is kept)"
            except OSError as error:
                text = f"the quarantine in {self.folder.name} cannot be written: {error.strerror}; its record waits"
                self._say(f"{text}; {explained_by(Check.JOURNAL)}")
                return False
        self._say(f"a record of {self._signal.name.lower()} is in quarantine: {reason}; {explained_by(Check.RUNS)}")
        return True

    def hurry(self) -> None:
        """Cancel the wait, unless the server asked for it: a caller wants the current state."""
        if self._clock() >= self._asked_until:
            self._backoff.succeeded()

    def close(self) -> None:
        """Close the connection."""
        self._sender.close()


class _FullError(Exception):
    """The quarantine of a journal has grown to its limit."""


def _append(path: Path, line: bytes) -> None:
    descriptor = open_file(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        size = os.fstat(descriptor).st_size
        if size > _LARGEST_QUARANTINE:
            raise _FullError
        if os.write(descriptor, line) != len(line):
            os.ftruncate(descriptor, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(descriptor)


_INVALID_IN_A_ROW: Final = 64
"""Bisection of a whole batch finds an accepted record long before this limit."""
_TURN_SECONDS: Final = 1.0
_LARGEST_QUARANTINE: Final = 1 << 24
