"""Delivers the items of a batch: splits large requests, finds bad records, and keeps the rest for later.

Items are sent in order, in one request if possible. A request on which the server fails is halved until the bad record
is alone. That poison record then waits, while the others are sent.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from synapse_otel import semconv
from synapse_otel.journal.cursor import Cursor
from synapse_otel.otlp.outcome import Accepted, Invalid, Outcome, Retry, TooLarge
from synapse_otel.shipper.pipelines.poison_records import PoisonRecord, Tally, may_be_the_content
from synapse_otel.shipper.pipelines.queue import Batch, singly

REJECTED: Final = "rejected by the server"
INVALID: Final = "invalid, in quarantine"
POISON: Final = "fails the server, in quarantine"
FAILURES: Final = 3
"""A part that failed so often in a row is halved, even if nothing was accepted in between."""
_WARNINGS_KEPT: Final = 20
PATIENCE_SECONDS: Final = 300.0
"""A record that fails alone for this time, while nothing is accepted, is tried in turn with later ones."""


class Send(Protocol):
    """Sends requests, and keeps what can never be sent."""

    exporter: str
    """What OpenTelemetry calls an exporter of this kind."""

    def ready(self) -> bool:
        """Return whether a request may be tried now; called before a request is encoded."""

    def hurry(self) -> None:
        """Try again now, unless the server asked to wait: a caller waits for delivery."""

    def tally(self) -> Tally:
        """Return how many requests were accepted and not accepted so far."""

    def __call__(self, body: bytes, *, suspect: bool = False) -> Outcome | None:
        """Send a request; None: it is too early to try again. A ``suspect``'s failure does not delay others."""

    def quarantine(self, item: Any, body: bytes, reason: str) -> bool:
        """Keep an item that the server will never accept; False: it cannot be kept now."""


@dataclass(slots=True)
class Delivery:
    """What became of the requests of one attempt."""

    delivered: int = 0
    """Records that were accepted."""
    attempts: int = 0
    retries: int = 0
    """Attempts that were not accepted."""
    size: int = 0
    """Bytes of the requests that were accepted, before compression."""
    seconds: list[float] = field(default_factory=list)
    """For each accepted request, the time since it, or the request it is part of, was first tried."""
    accepted: bool = False
    dropped: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    failure: str = ""
    """Why something still waits."""

    def count(self, outcome: Outcome) -> None:
        """Count an attempt."""
        self.attempts += 1
        self.retries += not isinstance(outcome, Accepted)

    def drop(self, reason: str, count: int) -> None:
        """Count records that will never arrive."""
        if count:
            self.dropped[reason] = self.dropped.get(reason, 0) + count

    def add_to(self, cursor: Cursor, batch: Batch) -> None:
        """Count the requests in a cursor, and their records in the batch until all of it is done."""
        cursor.attempts += self.attempts
        cursor.retries += self.retries
        cursor.size += self.size
        for seconds in self.seconds:
            cursor.exports = cursor.exports or [0] * (len(semconv.EXPORT_BUCKETS) + 1)
            cursor.exports[bisect_left(semconv.EXPORT_BUCKETS, seconds)] += 1
            cursor.export_seconds += seconds
        cursor.failure = self.failure
        batch.delivered += self.delivered
        for reason, count in self.dropped.items():
            batch.drop(reason, count)
        for warning in self.warnings:
            if warning not in cursor.warnings and len(cursor.warnings) < _WARNINGS_KEPT:
                cursor.warnings.append(warning)


@dataclass(slots=True, eq=False)
class _Part:
    """Items that are sent in one request."""

    items: list[Any]
    failures: int = 0
    first: int | None = None
    """Number of accepted requests when it, or the request it is part of, first failed..."""
    since: float = 0.0
    """... and when that was."""
    begun: float | None = None
    """When it, or the request it is part of, was first tried."""

    def halves(self) -> list[_Part]:
        middle = len(self.items) // 2
        # What has failed as a whole need not fail as often again: one more failure, and a half is halved.
        failures = min(self.failures, FAILURES - 1)
        return [
            _Part(items, failures, self.first, self.since, self.begun)
            for items in (self.items[:middle], self.items[middle:])
        ]

    def is_alone_for_long(self, now: float) -> bool:
        """Return whether it is one record, and the server has long failed on it, or on everything."""
        return len(self.items) == 1 and self.failures > FAILURES and now - self.since >= PATIENCE_SECONDS

    def blame(self, tally: Tally, now: float) -> bool:
        """Count a failure; return whether something was accepted since the first one: then it is this part."""
        self.failures += 1
        if self.first is None:
            self.first, self.since = tally.accepted, now
        return tally.accepted > self.first


class Outbox:
    """Items to be delivered: those to send, in parts, and possible poison records."""

    def __init__(self, encode: Callable[[list[Any]], bytes], clock: Callable[[], float] = time.monotonic) -> None:
        """Begin empty; ``encode`` makes items, which have a ``count`` of records, the body of a request."""
        self._encode = encode
        self._clock = clock
        self._parts: list[_Part] = []
        self._suspects: list[PoisonRecord] = []
        self._turn = 0

    def add(self, items: list[Any]) -> None:
        """Add items, to be sent after the current ones."""
        if items:
            self._parts.append(_Part(items))

    @property
    def sends(self) -> bool:
        """Whether something is to be sent that is not suspected."""
        return bool(self._parts)

    @property
    def left(self) -> list[Any]:
        """The items that are not done, possible poison records first."""
        return [suspect.item for suspect in self._suspects] + [item for part in self._parts for item in part.items]

    def __bool__(self) -> bool:
        """Return whether anything is left."""
        return bool(self._parts or self._suspects)

    def deliver(self, send: Send) -> Delivery | None:
        """Send until a request is not accepted; None: nothing was tried, since it is too early."""
        if self._next(send) is None or not send.ready():
            return None
        result = Delivery()
        going = True
        while going and (chosen := self._next(send)) is not None:
            going = (
                self._try_suspect(chosen, send, result)
                if isinstance(chosen, PoisonRecord)
                else self._try(chosen, send, result)
            )
        if self._suspects and not result.failure:
            result.failure = f"a record waits to be sent alone: {self._suspects[0].reason}"
        return result if result.attempts else None

    def _next(self, send: Send) -> _Part | PoisonRecord | None:
        tally, now = send.tally(), self._clock()
        for suspect in self._suspects:
            if suspect.is_due(tally, now, others=self.sends):
                return suspect
        if not self._parts:
            return None
        first = self._parts[0]
        others = self._parts[1:]
        if others and self._turn % 2 and first.is_alone_for_long(now):
            # Nothing was accepted since it failed first: is it the record, or the server? Only another part can tell.
            return min(others, key=lambda part: part.failures)
        return first

    def _try(self, part: _Part, send: Send, result: Delivery) -> bool:  # noqa: C901 - one branch an outcome
        """Send a part; return whether to continue."""
        body = self._encode(part.items)
        part.begun = self._clock() if part.begun is None else part.begun
        outcome = send(body)
        if outcome is None:
            return False
        self._turn += 1
        if _is_of_content(outcome):
            part.items = singly(part.items)
        outcome = _meant(outcome, len(part.items))
        result.count(outcome)
        if isinstance(outcome, Accepted):
            self._parts.remove(part)
            _accepted(result, part.items, outcome, len(body))
            result.seconds.append(self._clock() - part.begun)
            return True
        if isinstance(outcome, TooLarge | Invalid):
            guilty = part.blame(send.tally(), self._clock())
            if len(part.items) > 1:
                self._halve(part)
            elif guilty or isinstance(outcome, TooLarge):
                self._parts.remove(part)
                if not _quarantine(result, send, part.items[0], body, outcome):
                    self._suspects.append(PoisonRecord(part.items[0], outcome, send.tally(), self._clock(), rounds=1))
            else:
                self._suspect(part, outcome, send, rounds=0)
            return True
        result.failure = outcome.reason
        if isinstance(outcome, Retry) and _is_of_content(outcome):
            guilty = part.blame(send.tally(), self._clock())
            if len(part.items) > 1:
                if guilty or part.failures >= FAILURES:
                    self._halve(part)
            elif guilty:
                self._suspect(part, outcome, send, rounds=1)
        return False

    def _try_suspect(self, suspect: PoisonRecord, send: Send, result: Delivery) -> bool:
        """Send a possible poison record; return whether to continue."""
        body = self._encode([suspect.item])
        outcome = send(body, suspect=True)
        if outcome is None:
            return False
        outcome = _meant(outcome, 1)
        result.count(outcome)
        if isinstance(outcome, Accepted):
            self._suspects.remove(suspect)
            _accepted(result, [suspect.item], outcome, len(body))
        elif isinstance(outcome, Retry | TooLarge | Invalid) and _is_of_content(outcome):
            suspect.failed(outcome, send.tally(), self._clock())
            guilty = suspect.is_guilty(send.tally(), self._clock())
            if guilty and _quarantine(result, send, suspect.item, body, outcome):
                self._suspects.remove(suspect)
        else:
            result.failure = outcome.reason
            suspect.postpone(self._clock())
            return False
        return True

    def _halve(self, part: _Part) -> None:
        at = self._parts.index(part)
        self._parts[at : at + 1] = part.halves()

    def _suspect(self, part: _Part, outcome: Retry | Invalid, send: Send, *, rounds: int) -> None:
        """Set a record aside; of records that are created for each request, one represents all."""
        self._parts.remove(part)
        item = part.items[0]
        if item.count or all(suspect.item.count for suspect in self._suspects):
            self._suspects.append(PoisonRecord(item, outcome, send.tally(), self._clock(), rounds=rounds))


def _is_of_content(outcome: Outcome) -> bool:
    """Return whether an outcome may be due to one of the request's records, which is then looked for."""
    return isinstance(outcome, TooLarge | Invalid) or (isinstance(outcome, Retry) and may_be_the_content(outcome))


def _meant(outcome: Outcome, count: int) -> Outcome:
    """Return what an outcome means for a request of so many items: one alone cannot be split."""
    return outcome.alone() if count == 1 and isinstance(outcome, TooLarge) else outcome


def _accepted(result: Delivery, items: list[Any], outcome: Accepted, size: int) -> None:
    count = sum(item.count for item in items)
    rejected = min(outcome.rejected, count)
    result.accepted = True
    result.delivered += count - rejected
    result.size += size
    result.failure = ""
    result.drop(REJECTED, rejected)
    if outcome.message:
        result.warnings.append(outcome.message)


def _quarantine(result: Delivery, send: Send, item: Any, body: bytes, outcome: Retry | Invalid | TooLarge) -> bool:
    """Quarantine a record and count it; False: the disk is full, and the record is retried from time to time."""
    if not send.quarantine(item, body, outcome.reason):
        return False
    result.drop(POISON if isinstance(outcome, Retry) else INVALID, item.count)
    result.warnings.append(f"a record is in quarantine: {outcome.reason}")
    return True


__all__ = ["INVALID", "POISON", "REJECTED", "Delivery", "Outbox", "Send"]
