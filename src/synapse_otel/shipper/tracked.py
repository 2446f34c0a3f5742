"""A journal in the shipper's hands: its three lanes, whether its process lives, syncing and cleaning up."""

from __future__ import annotations

import os
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from synapse_otel.journal.folder import (
    ALIVE_LOCK,
    EXIT_FILE,
    SHIP_LOCK,
    STATE_FILE,
    read_run,
    segment_numbers,
    segment_path,
)
from synapse_otel.journal.frames import Signal
from synapse_otel.journal.locks import FileLock, is_locked
from synapse_otel.shipper.lane import Lane
from synapse_otel.shipper.lane_logs import LogsLane
from synapse_otel.shipper.lane_metrics import MetricsLane
from synapse_otel.shipper.lane_traces import TracesLane

_WATCH_SECONDS: Final = 0.02
"""Three threads look; one look is enough for all of them."""
_EXIT_SECONDS: Final = 2.0
"""What is waited for the parent of a process that has died, to hear how."""


class TrackedJournal:
    """A journal that this shipper alone delivers: it holds the journal's ship lock."""

    def __init__(self, folder: Path, lock: FileLock, *, interval_seconds: float) -> None:
        self.folder = folder
        self._lock = lock
        run = read_run(folder)
        self._keep = run.keep if run else True
        self._watched_by = run.watched if run else ""
        self._gone: float | None = None
        self.lanes: dict[Signal, Lane] = {
            Signal.LOGS: LogsLane(folder),
            Signal.METRICS: MetricsLane(folder, interval_seconds),
            Signal.TRACES: TracesLane(folder),
        }
        self.ended = False
        self._watched = 0.0
        self._cleaned: tuple[int, bool] | None = None
        self._synced = -1

    @classmethod
    def take(cls, folder: Path, *, interval_seconds: float) -> TrackedJournal | None:
        """Take a journal in hand; None if another shipper has it.

        Args:
            folder: The journal's.
            interval_seconds: Between two exports of the progress.

        Raises:
            OSError: the journal cannot be read or written.
        """
        lock = FileLock(folder / SHIP_LOCK)
        if not lock.acquire():
            return None
        try:
            return cls(folder, lock, interval_seconds=interval_seconds)
        except BaseException:
            lock.release()
            raise

    @property
    def complete(self) -> bool:
        """Whether the journal has ended and all of it is delivered."""
        return all(lane.cursor.complete for lane in self.lanes.values())

    def watch(self) -> None:
        """Look whether the process that writes the journal still lives; it never comes back."""
        now = monotonic()
        if self.ended or now - self._watched < _WATCH_SECONDS:
            return
        self._watched = now
        try:
            ended = not is_locked(self.folder / ALIVE_LOCK)
        except FileNotFoundError:
            ended = True
        if ended and not self._awaits_exit(now):
            for lane in self.lanes.values():
                lane.awaited = True
            self.ended = True

    def _awaits_exit(self, now: float) -> bool:
        """Say whether the parent of the process, which is gone, has still to tell how it ended, and is given time."""
        if not self._watched_by or (self.folder / EXIT_FILE).exists():
            return False
        if self._gone is None:
            self._gone = now
        # Of a journal that was closed nothing has to be known: it is complete without it.
        return now - self._gone < _EXIT_SECONDS and not all(lane.ended_well for lane in self.lanes.values())

    def settle(self) -> None:
        """Look whether the process lives; of one that is gone, wait for its parent's word if one is to be expected."""
        self.watch()
        while not self.ended and self._gone is not None:
            sleep(_WATCH_SECONDS)
            self.watch()

    def stirs(self) -> bool:
        """Say whether something was written, or the process has ended, since the lanes last looked."""
        self.watch()
        return self.ended or self.lanes[Signal.LOGS].stirs()

    def sync(self) -> None:
        """Bring what the journal's process has written since the last call to the disk."""
        numbers = segment_numbers(self.folder)
        for number in numbers:
            if number >= self._synced:
                _sync(segment_path(self.folder, number))
        _sync(self.folder / STATE_FILE)
        if numbers:
            self._synced = numbers[-1]

    def clean(self) -> None:
        """Delete the segments that every lane has delivered, unless the run asked to keep them."""
        delivered = min(lane.cursor.segment for lane in self.lanes.values())
        state = delivered, self.complete
        if self._keep or state == self._cleaned:
            return
        for number in segment_numbers(self.folder):
            if number < delivered or self.complete:
                segment_path(self.folder, number).unlink(missing_ok=True)
        self._cleaned = state

    def close(self) -> None:
        """Let go of the journal."""
        for lane in self.lanes.values():
            lane.save_again()
            lane.close()
        self._lock.release()


def _sync(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # deleted, or evicted, since it was listed
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
