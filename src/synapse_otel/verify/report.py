"""What `verify` reports: counts by signal, the first examples, and what could not be verified."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final, Self

import msgspec

EXAMPLES: Final = 5
"""How many examples a report has of each kind."""


class SignalReport(msgspec.Struct, kw_only=True):
    """One signal of a run, or of several runs."""

    expected: int = 0
    """Records in the journals that the backend should hold, or could not hold."""
    found: int = 0
    """How many of them the backend holds as they were recorded."""
    missing: int = 0
    different: int = 0
    """Held with other content, or held and never recorded."""
    double: int = 0
    """Held more than once."""
    kept_away: dict[str, int] = {}
    """By reason, expected records that the backend cannot hold: they are not missing."""
    unverified: int = 0
    """Records that are no longer in the journals: nobody can tell whether they arrived."""
    examples: dict[str, list[str]] = {}
    """By kind, the first few."""
    error: str = ""
    """Why the backend could not be asked; the counts are then not complete."""

    @property
    def good(self) -> bool:
        """Whether nothing is missing or different, as far as it could be verified."""
        return not (self.missing or self.different)

    @property
    def verified(self) -> bool:
        """Whether all could be verified."""
        return not (self.error or self.unverified)

    def show(self, kind: str, example: str) -> None:
        """Add an example, if there are not enough."""
        shown = self.examples.setdefault(kind, [])
        if len(shown) < EXAMPLES:
            shown.append(example)

    def keep_away(self, reason: str, count: int) -> None:
        """Count records that the backend cannot hold."""
        if count:
            self.kept_away[reason] = self.kept_away.get(reason, 0) + count

    def add(self, other: Self) -> None:
        """Add another run's counts; not its examples."""
        for field in ("expected", "found", "missing", "different", "double", "unverified"):
            setattr(self, field, getattr(self, field) + getattr(other, field))
        self.kept_away = dict(Counter(self.kept_away) + Counter(other.kept_away))
        self.error = self.error or other.error


class Signals(msgspec.Struct, kw_only=True):
    """The report of each signal."""

    logs: SignalReport = msgspec.field(default_factory=SignalReport)
    samples: SignalReport = msgspec.field(default_factory=SignalReport)
    progress: SignalReport = msgspec.field(default_factory=SignalReport)
    """The last progress of each category of a job."""
    spans: SignalReport = msgspec.field(default_factory=SignalReport)

    def all(self) -> list[tuple[str, SignalReport]]:
        """Return them with their names."""
        return [(name, getattr(self, name)) for name in self.__struct_fields__]

    @property
    def good(self) -> bool:
        """Whether nothing is missing or different."""
        return all(report.good for _, report in self.all())

    @property
    def verified(self) -> bool:
        """Whether all could be verified."""
        return all(report.verified for _, report in self.all())


class RunReport(msgspec.Struct, kw_only=True):
    """One run."""

    run: str
    """Name of its folder."""
    signals: Signals
    pending: int = 0
    """Records that the shipper has not delivered yet: they are among the missing ones."""
    settled: bool = True
    """The shipper has come to the end of the run."""
    dropped: dict[str, int] = {}
    """By reason, records that the shipper gave up: they are among the missing ones."""
    alive: bool = False
    """A process of the run is running."""
    repaired: dict[str, int] = {}
    """By signal, records that were sent again."""
    notes: list[str] = []

    @property
    def good(self) -> bool:
        """Whether nothing is missing or different."""
        return self.signals.good

    @property
    def verified(self) -> bool:
        """Whether all could be verified."""
        return self.signals.verified


def total(reports: Iterable[RunReport]) -> Signals:
    """Return the sums over runs."""
    whole = Signals()
    for one in reports:
        for (_, into), (_, report) in zip(whole.all(), one.signals.all(), strict=True):
            into.add(report)
    return whole
