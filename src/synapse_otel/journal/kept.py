"""Delivered records that stay on the machine: they are deleted when their space is needed, the oldest run's first."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from synapse_otel._guard import raise_foreign
from synapse_otel.journal.cursor import cursor_path, read_cursor
from synapse_otel.journal.files.locks import FileLock
from synapse_otel.journal.files.syncing import sync_file, sync_folder
from synapse_otel.journal.folder import (
    SHIP_LOCK,
    STATE_FILE,
    Run,
    delete_segment,
    read_run,
    run_folders,
    segment_numbers,
    segment_path,
)
from synapse_otel.journal.liveness import is_alive, lives
from synapse_otel.journal.memory.slots import SLOT_SIZE
from synapse_otel.journal.reader import JournalReader, Position
from synapse_otel.semconv.signal import Signal

_T = TypeVar("_T")

DOUBT_SECONDS: Final = 86_400.0
"""For so long the last segment stays of a journal whose process was presumed dead, and cannot be seen."""


def is_delivered(folder: Path) -> bool:
    """Return whether a journal has ended, and no record of it is pending."""
    return all(read_cursor(folder, signal).complete for signal in Signal)


def delivered_at(folder: Path) -> float:
    """Return the Unix time in seconds at which the last record of a delivered journal was delivered."""
    try:
        return max(cursor_path(folder, signal).stat().st_mtime for signal in Signal)
    except FileNotFoundError:
        return time.time()


def delivered_segments(folder: Path) -> list[int]:
    """Return the numbers of the segments whose records are all delivered, the oldest first.

    Raises:
        OSError: the folder cannot be read.
    """
    numbers = segment_numbers(folder)
    cursors = [read_cursor(folder, signal) for signal in Signal]
    if not all(cursor.complete for cursor in cursors):
        before = min(cursor.segment for cursor in cursors)
        return [number for number in numbers if number < before]
    doubtful = any(cursor.killed for cursor in cursors) and time.time() - delivered_at(folder) <= DOUBT_SECONDS
    if (doubtful and lives(read_run(folder)) is None) or is_alive(folder):
        return numbers[:-1]
    return numbers


def segments_size(folder: Path, numbers: list[int]) -> int:
    """Return the disk space of some segments of a journal, in bytes."""
    found = 0
    for number in numbers:
        try:
            found += segment_path(folder, number).stat().st_size
        except FileNotFoundError:
            continue
    return found


def delete_delivered(folder: Path, excess: float) -> int:
    """Delete the oldest delivered segments until ``excess`` bytes are freed; return the freed bytes.

    The segments of a run that is complete go together: what is left would show its end without its beginning.

    Raises:
        OSError: the folder cannot be read, or its cursors cannot be brought to the disk.
    """
    numbers = delivered_segments(folder)
    if not numbers:
        return 0
    for signal in Signal:  # an older cursor, after a power failure, would count what is deleted as lost
        sync_file(cursor_path(folder, signal))
    sync_folder(folder)
    whole = is_delivered(folder)
    freed = 0
    for number in numbers:
        if freed >= excess and not whole:
            break
        freed += delete_segment(folder, number)
    return freed


def _make_room(root: Path, wanted: int) -> int:
    """Delete delivered records, the oldest run's first, until ``wanted`` bytes are freed; return the freed bytes."""
    freed = 0
    for folder in run_folders(root):
        run = read_run(folder)
        if run is None or run.keep or not run.retain:
            continue
        try:
            freed += delete_delivered(folder, wanted - freed)
        except OSError as error:
            raise_foreign(error)  # out of reach now: the next one may do
        if freed >= wanted:
            break
    return freed


def with_room(root: Path, wanted: int, make: Callable[[], _T]) -> _T:
    """Return what is made below a root; a full disk gives up delivered records, and it is made once more.

    Raises:
        OSError: it cannot be made.
    """
    try:
        return make()
    except OSError as error:
        if error.errno not in _FULL or not _make_room(root, wanted):
            raise
        return make()


_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def compact(folder: Path, run: Run) -> bool:
    """Return the space to the disk that a delivered journal's process had allocated and not used.

    Returns:
        False: the process may live, and write there.

    Raises:
        OSError: the journal cannot be read or written.
    """
    if lives(run) is not False:
        return False
    state = folder / STATE_FILE
    used = len(state.read_bytes().rstrip(b"\0"))
    os.truncate(state, -(-used // SLOT_SIZE) * SLOT_SIZE)
    if any(read_cursor(folder, signal).killed for signal in Signal) and (numbers := segment_numbers(folder)):
        os.truncate(segment_path(folder, numbers[-1]), _used(folder, numbers[-1]))
    return True


def may_live(folder: Path, run: Run | None = None) -> bool:
    """Return whether a journal's process is alive, or its folder cannot be reached to find out."""
    try:
        return is_alive(folder, run)
    except OSError:
        return True


def delete_journal(folder: Path) -> bool:
    """Delete a journal, pending records included; return False if its process or a shipper uses it."""
    lock = FileLock(folder / SHIP_LOCK)
    try:
        if may_live(folder) or not lock.acquire():
            return False
        going = folder.with_name(f".{folder.name}.deleted")
        folder.rename(going)
        shutil.rmtree(going, ignore_errors=True)
    except FileNotFoundError:
        return True
    except OSError:
        return False  # out of reach now
    finally:
        lock.release()
    return True


def _used(folder: Path, number: int) -> int:
    """Return the offset after the last frame of the last segment."""
    reader = JournalReader(folder, Position(number))
    offset = 0
    try:
        while found := reader.read(ended=True):
            offset = found[-1].after.offset
    finally:
        reader.close()
    return offset
