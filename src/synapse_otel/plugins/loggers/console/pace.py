"""A pace that a reader can follow: at most one line a second of each kind, and the last one always."""

from __future__ import annotations

from time import monotonic
from typing import Final, Generic, TypeVar

V = TypeVar("V")

INTERVAL_SECONDS: Final = 1.0


class Pace(Generic[V]):
    """Lets one value a second through for each category, and keeps the newest that it held back.

    Args:
        delayed: whether the first waits for a second too.
    """

    def __init__(self, *, delayed: bool = False) -> None:
        self._delayed = delayed
        self._due: dict[str | None, float] = {}
        self._held: dict[str | None, V] = {}
        self._shown: set[str | None] = set()

    def admits(self, category: str | None, value: V, *, final: bool = False) -> bool:
        """Return whether to show the value now; if not, it is kept until a newer one comes.

        Args:
            category: the kind.
            value: what there is to show.
            final: whether it is the last of its category, which need not wait if none was shown.
        """
        now = monotonic()
        if now < self._due.get(category, 0.0) and not (final and category not in self._shown):
            self._held[category] = value
            return False
        if self._delayed and not final and category not in self._due:
            self._due[category] = now + INTERVAL_SECONDS
            self._held[category] = value
            return False
        self._due[category] = now + INTERVAL_SECONDS
        self._shown.add(category)
        self._held.pop(category, None)
        return True

    def release(self) -> list[tuple[str | None, V]]:
        """Return what was held back, and keep it no longer."""
        held = list(self._held.items())
        self._held.clear()
        return held
