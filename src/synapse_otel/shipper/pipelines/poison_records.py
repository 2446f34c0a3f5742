"""Tells a poison record, which the server refuses each time, from a server in trouble, which refuses any record.

A record is quarantined only after the server has repeatedly accepted others in between. The rule is a statistical
test: if the server refused records at random, at the rate seen for the others, how likely are this record's refusals?
Below 1e-6 the record is to blame. The more other requests fail, the more often the record is tried.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from synapse_otel.otlp.outcome import Invalid, Retry, TooLarge

DOUBT: Final = 1e-6
"""How likely it may be that a good record is taken for a bad one."""
LEAST_SECONDS: Final = 60.0
"""Minimum time for which a record is retried if the server answers with an error of its own..."""
LONG_SECONDS: Final = 3600.0
"""... and if it answers with a temporary error, or not at all: one of its parts, which gets only some of the records,
may be down for a while."""
FIRST_WAIT_SECONDS: Final = 1.0
LONGEST_WAIT_SECONDS: Final = 60.0

_SERVER_ERRORS: Final = 500
_PASSING: Final = frozenset({502, 503, 504})
"""Server errors that OTLP calls retryable."""
_BUSY: Final = frozenset({408, 429})


class Tally(NamedTuple):
    """How many requests of a signal a server has taken and not taken, of whatever journal."""

    accepted: int = 0
    failed: int = 0


class PoisonRecord:
    """A record that failed alone although others were accepted; retried from time to time while the others are sent."""

    def __init__(
        self, item: Any, outcome: Retry | Invalid | TooLarge, tally: Tally, now: float, *, rounds: int
    ) -> None:
        """Begin with its first failure.

        Args:
            item: The record.
            outcome: Of its last request, which it was alone in.
            tally: Of the server, that request included.
            now: Monotonic time in seconds.
            rounds: 1 when something was accepted after the record had failed first and before it failed now.

        """
        self.item = item
        self.reason = outcome.reason
        self._outcome = outcome
        self._begin = tally
        self._since = now
        self._rounds = rounds
        self._seen = tally.accepted
        self._own = 0
        self._wait = FIRST_WAIT_SECONDS
        self._due = now + self._wait

    def is_due(self, tally: Tally, now: float, *, others: bool) -> bool:
        """Return whether to retry it; ``others``: something else waits to be sent."""
        if self.is_told_definitely and tally.accepted > self._seen:
            return True
        return now >= self._due and (tally.accepted > self._seen or not others)

    @property
    def is_told_definitely(self) -> bool:
        """Whether the server itself rejected the record: one more check that it accepts others is enough."""
        return not isinstance(self._outcome, Retry)

    def failed(self, outcome: Retry | Invalid | TooLarge, tally: Tally, now: float) -> None:
        """Count a request with this record alone that was not accepted; ``tally`` has that request in it."""
        self.reason = outcome.reason
        self._outcome = outcome
        self._own += isinstance(outcome, Retry)
        if tally.accepted > self._seen:
            self._rounds += 1
            self._seen = tally.accepted
        self._wait = min(self._wait * 2, LONGEST_WAIT_SECONDS)
        self._due = now + self._wait

    def postpone(self, now: float) -> None:
        """Postpone it: it could not be tried."""
        self._due = now + self._wait

    def is_guilty(self, tally: Tally, now: float) -> bool:
        """Return whether the record is to blame, beyond reasonable doubt."""
        outcome = self._outcome
        if not isinstance(outcome, Retry):
            return self._rounds > 0
        long = outcome.status in _PASSING or outcome.status < _SERVER_ERRORS
        if now - self._since < (LONG_SECONDS if long else LEAST_SECONDS):
            return False
        failed = tally.failed - self._begin.failed - self._own
        accepted = tally.accepted - self._begin.accepted
        likely = (failed + 1) / (failed + accepted + 2)
        return likely**self._rounds < DOUBT


def may_be_the_content(outcome: Retry) -> bool:
    """Return whether the content may be the cause: not if it never reached the server, or the server is busy."""
    return outcome.reached and outcome.status not in _BUSY
