"""The segments of a journal that is being written, as files: made within its budget, and brought to the disk.

A file whose bytes are on the disk is lost all the same if its name is not: so the folders are brought there too,
the first time and after each new segment. Usually a shipper has done all this before, and it costs next to nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from synapse_otel._guard import raise_foreign
from synapse_otel.journal import frames
from synapse_otel.journal.files.descriptors import ReserveDescriptors
from synapse_otel.journal.files.syncing import NO_DESCRIPTOR, sync_file, sync_folder
from synapse_otel.journal.folder import (
    RUN_FILE,
    STATE_FILE,
    Run,
    delete_segment,
    folder_size,
    segment_numbers,
    segment_path,
)
from synapse_otel.journal.kept import with_room
from synapse_otel.journal.segment import RESERVE, AppendedSegment, MappedSegment, Segment, open_segment


class Unsynced(NamedTuple):
    """What had not been brought to the disk when somebody looked."""

    descriptor: int
    """Of the current segment."""
    earlier: tuple[int, ...]
    """Numbers of segments that were written to before it."""
    names: int
    """Files that have been given their names so far."""


class SegmentFiles:
    """Makes a journal's segments, evicts the oldest ones, and brings all to the disk. Its writer's lock is held."""

    def __init__(self, folder: Path, budget: int) -> None:
        """Begin with the journal's first segment, which is there."""
        self.number = 1
        """That of the current segment."""
        self.reserve = ReserveDescriptors()
        self._folder = folder
        self._budget = budget
        self._last_number = 1
        self._earlier: list[int] = []
        self._names = 1
        self._names_safe = 0

    def make(self, header: bytes, room: int) -> tuple[int, Segment]:
        """Return the number of a new segment, and the segment with its header.

        A full disk gives up delivered records first.

        Raises:
            OSError: there can be none.
        """
        number = self._last_number + 1
        self._last_number = number
        path = segment_path(self._folder, number)
        making = path.with_suffix(".new")
        made: MappedSegment | AppendedSegment | None = None
        try:
            with self.reserve:
                self._evict(room)
                making.unlink(missing_ok=True)
                made = with_room(self._folder.parent, room, partial(open_segment, making, room))
            made.write(header)
            made.room -= RESERVE
            making.rename(path)
            made.file.path = path  # and no call until the writer has taken it: no handler of a signal comes between
        except BaseException:
            self.discard(number, made)
            raise
        return number, made

    def discard(self, number: int, segment: Segment | None) -> None:
        """Let go of a segment that nobody has written to."""
        if segment is not None:
            segment.abandon()
        path = segment_path(self._folder, number)
        for name in (path.with_suffix(".new"), path):
            with suppress(OSError):
                name.unlink(missing_ok=True)

    def begun(self, number: int, before: Segment) -> None:
        """Take note that a new segment is the current one, and close the one before."""
        self._earlier.append(self.number)
        self._names += 1
        self.number = number
        with suppress(OSError):  # its rest of zeros is no harm
            before.close()
        self.reserve.take()

    def _evict(self, wanted: int) -> None:
        """Delete the oldest segments as far as the budget demands; the reader counts what was in them."""
        older = [number for number in segment_numbers(self._folder) if number != self.number]
        excess = folder_size(self._folder) + wanted - self._budget
        for number in older:
            if excess <= 0:
                return
            excess -= delete_segment(self._folder, number)

    def unsynced(self, segment: Segment) -> Unsynced | None:
        """Return what is to be brought to the disk now, with the current segment; None where that is no file."""
        descriptor = segment.duplicate()
        return None if descriptor is None else Unsynced(descriptor, tuple(self._earlier), self._names)

    def sync(self, unsynced: Unsynced) -> None:
        """Return when all that was unsynced is on the disk; its descriptor is closed. Nobody's lock need be held.

        Two threads may do so at once: neither returns before what it saw unsynced is safe.

        Raises:
            OSError: the disk has failed.
        """
        try:
            os.fdatasync(unsynced.descriptor)
        finally:
            os.close(unsynced.descriptor)
        try:
            for number in unsynced.earlier:
                sync_file(segment_path(self._folder, number))
            if unsynced.names > self._names_safe:
                if not self._names_safe:
                    sync_file(self._folder / RUN_FILE)
                    sync_file(self._folder / STATE_FILE)
                    sync_folder(self._folder.parent)
                sync_folder(self._folder)
        except OSError as error:
            if error.errno in NO_DESCRIPTOR:
                return  # no reason to give the journal up: a shipper, or the next call, does what is left
            raise
        self._names_safe = max(self._names_safe, unsynced.names)
        for number in unsynced.earlier:
            with suppress(ValueError):  # another thread was quicker
                self._earlier.remove(number)

    def finish(self, segment: Segment, end: bytes) -> None:
        """Write the end into the room that every segment keeps for it, bring all to the disk, and close."""
        try:
            segment.write_end(end)
            self.reserve.release()
            unsynced = self.unsynced(segment)
            if unsynced is not None:
                self.sync(unsynced)
        except OSError as error:
            raise_foreign(error)
            # what was appended stands, though nothing says that it is all
        with suppress(OSError):
            segment.close()


def encode_header(
    run: Run, resource: dict[str, Any], created: int, sequences: list[int], definitions: Iterable[tuple[int, bytes]]
) -> bytes:
    """Return what every segment begins with: whose it is, where the numbers stand, and all definitions.

    Args:
        run: the journal's.
        resource: of all records.
        created: Unix time in ns.
        sequences: by signal, the number of the next record.
        definitions: the kind and the payload of each.
    """
    header = frames.Segment(
        version=frames.FORMAT_VERSION,
        journal=run.journal,
        created=created,
        sequences=sequences,
        resource=resource,
        continues=run.continues,
        destination=run.destination,
    )
    encoded = [frames.frame(kind, payload) for kind, payload in definitions]
    return b"".join([frames.frame(frames.Kind.SEGMENT, frames.encode_clean(header)), *encoded])
