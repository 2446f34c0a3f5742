"""Records that a pipeline has read and not delivered yet."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from synapse_otel.journal.cursor import Cursor
from synapse_otel.journal.reader import Position
from synapse_otel.otlp.encode.request import record_bodies, record_field

_SAMPLE_BYTES: Final = 40
"""Approximate size of a point that is encoded only with its request."""


class Item(msgspec.Struct, gc=False):
    """A part of a request: an encoded record, or something that a pipeline encodes later."""

    scope: int
    record: Any
    count: int = 1
    """Number of the journal's records in it; 0 for additions of the shipper."""
    uid: str = ""
    """Names it in the quarantine."""

    def field(self) -> bytes:
        """Return what is encoded, as it stands in its ``Scope*`` message."""
        return record_field(self.record)

    def singly(self) -> list[Item]:
        """Return an item for each of the journal's records in it that can be sent alone."""
        return [self]


class Run(Item):
    """Log records that follow each other in the journal, of one scope: encoded, as fields of their ``ScopeLogs``."""

    journal: str = ""
    first: int = 0
    """Number of its first record."""

    def field(self) -> bytes:
        """Return the fields."""
        return self.record  # type: ignore[no-any-return]

    def singly(self) -> list[Item]:
        """Return its records."""
        bodies = enumerate(record_bodies(self.record), self.first)
        return [Item(self.scope, body, 1, f"{self.journal}-{number:x}") for number, body in bodies]


def singly(items: Iterable[Item]) -> list[Item]:
    """Return an item for each of the journal's records in some items that can be sent alone."""
    return [one for item in items for one in item.singly()]


@dataclass(slots=True)
class Batch:
    """Read items that are not done yet, and the position after them in the journal."""

    items: list[Item] = field(default_factory=list)
    """Read, and not tried yet."""
    size: int = 0
    """Approximate number of bytes read from the journal."""
    since: float | None = None
    """Monotonic time at which the oldest item was read."""
    after: Position = field(default_factory=Position)
    urgent: bool = False
    final: bool = False
    delivered: int = 0
    withheld: int = 0
    """How many of the delivered ones are not to be sent."""
    dropped: dict[str, int] = field(default_factory=dict)
    """Counted here until the whole batch is done: the cursor's counts and its position change together."""

    def add(self, items: list[Item] | list[Run]) -> None:
        """Add items without a frame: additions of the pipeline."""
        if items:
            self.items += items
            self.since = self.since if self.since is not None else time.monotonic()

    def add_read(self, items: list[Item]) -> None:
        """Add the items of a frame."""
        for item in items:
            self.size += len(item.record) if type(item.record) is bytes else _SAMPLE_BYTES
        self.add(items)

    def drop(self, reason: str, count: int) -> None:
        """Count records that will not arrive; a negative number if missing ones have been found."""
        if count:
            self.dropped[reason] = self.dropped.get(reason, 0) + count

    def count_in(self, cursor: Cursor) -> None:
        """Add its counts to a cursor's."""
        cursor.delivered += self.delivered
        cursor.withheld += self.withheld
        cursor.drop(self.dropped)

    def hand_over(self) -> tuple[list[Item], int]:
        """Remove and return the items and their size."""
        handed = self.items, max(self.size, 1)
        self.items, self.size, self.since, self.urgent = [], 0, None, False
        return handed
