"""What a pipeline has read and not delivered yet."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from synapse_otel.journal.reader import Position

_SAMPLE_BYTES: Final = 40
"""About what a point takes that is encoded only when its request is."""


class Item(msgspec.Struct, gc=False):
    """What a request is made of: an encoded record, or whatever else a pipeline encodes later."""

    scope: int
    record: Any
    count: int = 1
    """Records of the journal in it; 0 for what the shipper adds."""
    uid: str = ""
    """Names it in the quarantine."""


@dataclass(slots=True)
class Batch:
    """What was read and is not done yet, and where the journal goes on behind it."""

    items: list[Item] = field(default_factory=list)
    """Read, and not tried yet."""
    size: int = 0
    """Bytes of what was read from the journal, about."""
    since: float | None = None
    """Monotonic time at which the oldest item was read."""
    after: Position = field(default_factory=Position)
    urgent: bool = False
    final: bool = False
    delivered: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    """Counted here until the whole batch is done: the cursor's numbers and its place change together."""

    def add(self, items: list[Item]) -> None:
        """Take items that no frame holds: what a pipeline adds itself."""
        if items:
            self.items += items
            self.since = self.since if self.since is not None else time.monotonic()

    def add_read(self, items: list[Item]) -> None:
        """Take items that were made of a frame."""
        for item in items:
            self.size += len(item.record) if type(item.record) is bytes else _SAMPLE_BYTES
        self.add(items)

    def drop(self, reason: str, count: int) -> None:
        """Count records that will not arrive; fewer than none where some have turned up after all."""
        if count:
            self.dropped[reason] = self.dropped.get(reason, 0) + count

    def hand_over(self) -> tuple[list[Item], int]:
        """Return the items and their size, and hold none of them any more."""
        handed = self.items, max(self.size, 1)
        self.items, self.size, self.since, self.urgent = [], 0, None, False
        return handed
