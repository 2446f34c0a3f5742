"""The outcomes of a request, which a sender returns and the delivery account uses.

They are the same for every transport, so that bisection, splitting, back-off and the cursor are written once.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct


class Accepted(Struct, frozen=True, tag=True):
    """The server has taken the request over, but for what it says it rejected.

    Rejected records are gone: the specification forbids to send them again (OTLP, "Partial Success").
    """

    rejected: int = 0
    """Log records, data points or spans."""
    message: str = ""
    """What the server wants to be known: why it rejected, or, with none rejected, a warning."""


class Retry(Struct, frozen=True, tag=True):
    """Not accepted now; the same request may be accepted later."""

    reason: str
    after_seconds: float | None = None
    """How long the server asks to be left alone."""
    status: int = 0
    """Status of the HTTP answer, or the one that is nearest to a gRPC code; 0 when there was no answer.

    500 and its like are temporary here, although the specification counts them as permanent: they come from
    proxies and from servers in trouble far more often than from a record, and dropping would lose data. But a
    record that makes a server fail with 500 each time must not hold up what stands behind it for ever: after a
    number of these in a row, the caller does well to bisect as with `Invalid`.
    """
    reached: bool = True
    """Whether the request may have reached the server, so that what it holds may be the reason."""


class TooLarge(Struct, frozen=True, tag=True):
    """Too many bytes in one request: split it. A record that is too large alone can never be sent."""

    reason: str
    certain: bool = True
    """Whether the server has said so. If not, it may be a limit of another kind, which will pass."""

    def alone(self) -> TooLarge | Retry:
        """Return what it means for a request that cannot be split."""
        return self if self.certain else Retry(self.reason, status=_CONTENT_TOO_LARGE)


class Invalid(Struct, frozen=True, tag=True):
    """The server cannot read something in the request, and never will: find it by bisection."""

    reason: str


class Refused(Struct, frozen=True, tag=True):
    """The server would refuse any request: a setting is wrong, here or there. Keep everything, and say so once."""

    reason: str


_CONTENT_TOO_LARGE: Final = 413

Outcome = Accepted | Retry | TooLarge | Invalid | Refused
