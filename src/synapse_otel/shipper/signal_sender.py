"""Sending one signal of all journals: the wait after a failure, the words said about it, the quarantine."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from synapse_otel.journal.folder import QUARANTINE_FILE
from synapse_otel.journal.frames import Signal
from synapse_otel.shipper.backoff import Backoff
from synapse_otel.shipper.destination import Destination
from synapse_otel.shipper.lane import Item
from synapse_otel.shipper.outcome import Accepted, Outcome, Refused, Retry
from synapse_otel.shipper.sender import Sender

Say = Callable[[str], None]


class SignalSender:
    """Sends one signal of all journals: no earlier than the server wants, and says once what is wrong."""

    def __init__(self, destination: Destination, signal: Signal, say: Say) -> None:
        self._sender = Sender(destination, signal)
        self._backoff = Backoff()
        self._signal = signal
        self._say = say
        self._said = ""
        self._asked_until = 0.0
        self.folder: Path | None = None
        """Journal that is being sent, for its quarantine."""

    def ready(self) -> bool:
        """Say whether the wait after the last failure is over."""
        return self._backoff.remaining_seconds() <= 0

    def __call__(self, body: bytes) -> Outcome | None:
        """Send a request; None: too early after the last failure."""
        if not self.ready():
            return None
        outcome = self._sender.send(body)
        if isinstance(outcome, Retry | Refused):
            asked = outcome.after_seconds if isinstance(outcome, Retry) else None
            self._asked_until = time.monotonic() + (asked or 0.0)
            self._backoff.failed(asked)
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
            try:
                _append(self.folder / QUARANTINE_FILE, msgspec.json.encode(entry) + b"\n")
            except OSError as error:
                reason += f" (and the quarantine cannot be written: {error.strerror})"
        self._say(f"a record of {self._signal.name.lower()} is in quarantine: {reason}")

    def hurry(self) -> None:
        """Forget the wait, unless the server has asked for it: somebody wants to know how it stands now."""
        if time.monotonic() >= self._asked_until:
            self._backoff.succeeded()

    def close(self) -> None:
        """Close the connection."""
        self._sender.close()


def _append(path: Path, line: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "ab") as file:
        file.write(line)
