"""Deliveries of a shipper since it began, from the cursors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from synapse_otel.journal.cursor import read_cursor
from synapse_otel.journal.folder import read_run, run_folders
from synapse_otel.semconv.signal import Signal

_MOST_LINES: Final = 10


class _Count(NamedTuple):
    delivered: int = 0
    dropped: int = 0
    complete: bool = False


class Shipped:
    """Counts the delivered and dropped records of a destination's runs."""

    def __init__(self, roots: Iterable[Path], key: str) -> None:
        self._roots = list(roots)
        self._key = key
        self._others: set[Path] = set()
        self._counts: dict[Path, _Count] = {}
        self._begin: dict[Path, _Count] = {}
        self._look()
        self._begin = dict(self._counts)
        self._told = _Count()

    def news(self) -> Iterator[str]:
        """Yield news since the last call: delivered runs, and numbers of records."""
        before = dict(self._counts)
        self._look()
        done = [
            folder
            for folder, count in self._counts.items()
            if count.complete and not before.get(folder, _Count()).complete
        ]
        for folder in done[:_MOST_LINES]:
            count = self._counts[folder]
            yield f"{folder.name}: all delivered · delivered {count.delivered:,} · dropped {count.dropped:,}"
        if len(done) > _MOST_LINES:
            yield f"and {len(done) - _MOST_LINES:,} more runs: all delivered"
        counted = self._sum()
        if counted[:2] != self._told[:2]:
            new = counted.delivered - self._told.delivered
            self._told = counted
            yield f"{self._words(counted)} ({new:+,})"

    def total(self) -> str:
        """Return how many records went since the beginning, in a few words."""
        self._look()
        return self._words(self._sum())

    def _look(self) -> None:
        settled = {folder for folder, count in self._counts.items() if count.complete}
        for root in self._roots:
            for folder in run_folders(root, self._others | settled):
                if folder not in self._counts:
                    run = read_run(folder)
                    if run is not None and run.destination != self._key:
                        self._others.add(folder)
                    if run is None or run.destination != self._key:
                        continue
                cursors = [read_cursor(folder, signal) for signal in Signal]
                self._counts[folder] = _Count(
                    sum(cursor.delivered for cursor in cursors),
                    sum(sum(cursor.dropped.values()) for cursor in cursors),
                    all(cursor.complete for cursor in cursors),
                )

    def _sum(self) -> _Count:
        pairs = [(count, self._begin.get(folder, _Count())) for folder, count in self._counts.items()]
        return _Count(
            sum(now.delivered - begin.delivered for now, begin in pairs),
            sum(now.dropped - begin.dropped for now, begin in pairs),
        )

    @staticmethod
    def _words(counted: _Count) -> str:
        return f"delivered {counted.delivered:,} · dropped {counted.dropped:,}"
