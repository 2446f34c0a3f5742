"""The parts of a journal that are not synced to the disk yet, in case the power fails.

A file whose bytes are on the disk is still lost if its name is not: so the folders are synced too, the first time and
after each new segment. Usually a shipper has synced all this before, so that it costs hardly anything.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from synapse_otel.journal.files.syncing import NO_DESCRIPTOR, sync_file, sync_folder
from synapse_otel.journal.folder import RUN_FILE, STATE_FILE, segment_path


class Pending(NamedTuple):
    """A snapshot of what is not synced."""

    earlier: tuple[int, ...]
    """Numbers of unsynced segments before the current one."""
    names: int
    """Files that have been given their names so far."""


class Unsynced:
    """Tracks what a writer's `sync` must sync besides the current segment."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._earlier: list[int] = []
        self._names = 1
        self._names_safe = 0

    def begun(self, before: int) -> None:
        """Record that a segment was begun after the one with the number ``before``."""
        self._earlier.append(before)
        self._names += 1

    def pending(self) -> Pending:
        """Return what to sync now; the writer's lock is held."""
        return Pending(tuple(self._earlier), self._names)

    def bring(self, descriptor: int, pending: Pending) -> None:
        """Sync a segment and everything pending to the disk; close ``descriptor``.

        Two threads may do so at once: neither returns before everything it saw pending is synced.

        Raises:
            OSError: the disk has failed.
        """
        try:
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
        try:
            for number in pending.earlier:
                sync_file(segment_path(self._folder, number))
            if pending.names > self._names_safe:
                if not self._names_safe:
                    sync_file(self._folder / RUN_FILE)
                    sync_file(self._folder / STATE_FILE)
                    sync_folder(self._folder.parent)
                sync_folder(self._folder)
        except OSError as error:
            if error.errno in NO_DESCRIPTOR:
                return  # no reason to give the journal up: a shipper, or the next call, does what is left
            raise
        self._names_safe = max(self._names_safe, pending.names)
        for number in pending.earlier:
            with suppress(ValueError):  # another thread was quicker
                self._earlier.remove(number)
