"""Which of a span's events are kept: the first, the last, and always room for warnings and errors."""

from __future__ import annotations

from collections import deque
from typing import Final, Generic, TypeVar

FIRST: Final = 40
LAST: Final = 40
IMPORTANT: Final = 40
"""Together below the 128 events that the SDK keeps of a span."""

Event = TypeVar("Event")


class EventBudget(Generic[Event]):
    """The events of a span that are kept, of any type, and how many are not."""

    __slots__ = ("_first", "_important", "_last", "_total")

    def __init__(self) -> None:
        self._first: list[Event] = []
        self._important: list[Event] = []
        self._last: deque[Event] = deque(maxlen=LAST)
        self._total = 0

    def add(self, event: Event, important: bool) -> None:  # noqa: FBT001 - on the hot path
        """Keep an event as long as the budget allows; ``important``: of level WARN or above."""
        self._total += 1
        if len(self._first) < FIRST:
            self._first.append(event)
        elif important and len(self._important) < IMPORTANT:
            self._important.append(event)
        else:
            self._last.append(event)

    def kept(self) -> list[Event]:
        """Return the events that are kept, in no order."""
        return [*self._first, *self._important, *self._last]

    def latest(self) -> list[Event]:
        """Return the latest event of each kind that is kept."""
        return [part[-1] for part in (self._first, self._important, self._last) if part]

    @property
    def dropped(self) -> int:
        """How many events are not kept."""
        return self._total - len(self._first) - len(self._important) - len(self._last)
