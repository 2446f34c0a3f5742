"""Delivering the items of a batch: split what is too large, find what is invalid, keep the rest for later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from synapse_otel.shipper.outcome import Accepted, Invalid, Outcome, Retry, TooLarge

REJECTED = "rejected by the server"
INVALID = "invalid, in quarantine"


class Send(Protocol):
    """Sends requests, and keeps what can never be sent."""

    def ready(self) -> bool:
        """Say whether it may be tried now; a request need not be made before."""

    def hurry(self) -> None:
        """Have it tried now, unless the server has asked to be left alone: somebody waits."""

    def __call__(self, body: bytes) -> Outcome | None:
        """Send a request; None: it is too early to try again."""

    def quarantine(self, item: Any, body: bytes, reason: str) -> None:
        """Keep an item that the server will never take."""


@dataclass(slots=True)
class Delivery:
    """What became of the items."""

    delivered: int = 0
    attempts: int = 0
    accepted: bool = False
    dropped: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    failure: str = ""
    left: list[Any] = field(default_factory=list)
    """Items to be sent later, in their order."""

    def drop(self, reason: str, count: int) -> None:
        """Count records that will never arrive."""
        if count:
            self.dropped[reason] = self.dropped.get(reason, 0) + count


def deliver(items: list[Any], encode: Callable[[list[Any]], bytes], send: Send) -> Delivery | None:
    """Send items in one request, or in several if the server cannot take them in one; None: too early."""
    if not send.ready():
        return None
    result = Delivery()
    todo = [items]
    while todo:
        part = todo.pop()
        body = encode(part)
        outcome = send(body)
        if outcome is None and not result.attempts:
            return None
        result.attempts += outcome is not None
        if isinstance(outcome, Accepted):
            _accepted(result, part, outcome)
        elif isinstance(outcome, TooLarge | Invalid):
            if len(part) > 1:
                middle = len(part) // 2
                todo += (part[middle:], part[:middle])
            else:
                send.quarantine(part[0], body, outcome.reason)
                result.drop(INVALID, part[0].count)
                result.warnings.append(f"a record is in quarantine: {outcome.reason}")
        else:
            result.failure = outcome.reason if outcome is not None else ""
            result.left = part + [item for rest in reversed(todo) for item in rest]
            return result
    return result


def _accepted(result: Delivery, part: list[Any], outcome: Accepted) -> None:
    count = sum(item.count for item in part)
    rejected = min(outcome.rejected, count)
    result.accepted = True
    result.delivered += count - rejected
    result.drop(REJECTED, rejected)
    if outcome.message:
        result.warnings.append(outcome.message)


__all__ = ["Delivery", "Invalid", "Retry", "Send", "deliver"]
