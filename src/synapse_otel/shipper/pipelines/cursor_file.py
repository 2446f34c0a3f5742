"""A cursor on the disk: written after each acceptance, and again later if that fails."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from synapse_otel.journal.cursor import Cursor, write_cursor
from synapse_otel.semconv.signal import Signal

_AGAIN_SECONDS: Final = 1.0


class CursorFile:
    """Writes one signal's cursor. If that fails, delivery continues, and writing is retried: the disk may be full."""

    def __init__(self, folder: Path, signal: Signal, cursor: Cursor) -> None:
        """Begin with the cursor that was read from there."""
        self._folder = folder
        self._signal = signal
        self._cursor = cursor
        self._again: float | None = None
        self.stands: Callable[[], bool] = _always
        """Returns whether this process still delivers the journal; otherwise nothing is sent or written."""
        self.kept = cursor.segment, cursor.complete
        """Segment that the cursor on the disk has come to, and whether it is complete."""

    @property
    def saved(self) -> bool:
        """Whether the cursor on the disk is up to date."""
        return self._again is None

    @property
    def is_due(self) -> bool:
        """Whether writing failed, long enough ago to be tried again."""
        return self._again is not None and time.monotonic() >= self._again

    def save(self) -> None:
        """Write it, or note that it must be tried again."""
        if not self.stands():
            return
        try:
            write_cursor(self._folder, self._signal, self._cursor)
        except OSError:
            self._again = time.monotonic() + _AGAIN_SECONDS
        else:
            self._again = None
            self.kept = self._cursor.segment, self._cursor.complete

    def save_again(self) -> None:
        """Write it if that failed before."""
        if not self.saved:
            self.save()


def _always() -> bool:
    return True
