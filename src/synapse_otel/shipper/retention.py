"""Retention: the folder of all journals must not grow without limit.

Delivered records stay within a budget of their own, and of the newest delivered runs a summary stays for a while.
Pending records, for any destination, stay until all journals together exceed a budget: then the oldest are dropped and
counted.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import chain
from math import inf
from pathlib import Path
from typing import Final, NamedTuple

from synapse_otel.journal.files.lock_holder import holder_path
from synapse_otel.journal.files.locks import FileLock
from synapse_otel.journal.folder import (
    Run,
    delete_segment,
    folder_size,
    is_gone,
    read_run,
    run_folders,
    segment_numbers,
)
from synapse_otel.journal.kept import (
    DOUBT_SECONDS,
    compact,
    delete_delivered,
    delete_journal,
    delivered_at,
    delivered_segments,
    is_delivered,
    may_live,
    segments_size,
)
from synapse_otel.shipper.claimed_journal import ClaimedJournal
from synapse_otel.shipper.configuration import Limits
from synapse_otel.shipper.pipelines.signal_sender import Say

_LEFTOVER_SECONDS: Final = 3600.0


class _Known(NamedTuple):
    """A run that is delivered."""

    run: Run
    since: float
    """Unix time in seconds."""


class Retention:
    """Applies retention to the roots. Several shippers may do so at once: a run is deleted under its lock."""

    def __init__(self, roots: list[Path], key: str, limits: Limits, say: Say) -> None:
        self._roots = roots
        self._key = key
        self._limits = limits
        self._say = say
        self._delivered: dict[Path, _Known] = {}
        self._compact: set[Path] = set()
        """Those that take no more space than they need."""
        self._sizes: dict[Path, int] = {}
        """Bytes of the segments of those, as they were last measured."""

    def look_after(self, in_hand: Mapping[Path, ClaimedJournal]) -> list[Path]:
        """Delete what retention does not keep; return the folders of the deleted runs.

        ``in_hand`` are the journals that this process has claimed, by folder.
        """
        waiting: dict[Path, Run] = {}
        roots = [root for root in self._roots if _can_list(root)]
        for folder in chain.from_iterable(run_folders(root, self._delivered) for root in roots):
            run = read_run(folder) or _UNKNOWN
            if folder not in in_hand and is_delivered(folder):
                self._delivered[folder] = _Known(run, delivered_at(folder))
            else:
                waiting[folder] = run
        for folder, known in self._delivered.items():
            # Of one whose death is not certain, which may have written more, the last one stood.
            if not known.run.stays and time.time() - known.since > DOUBT_SECONDS and not may_live(folder, known.run):
                _delete_segments(folder, inf, whole=True)
            elif known.run.stays and folder not in self._compact and self._is_compact(folder, known.run):
                self._compact.add(folder)
        gone = [folder for folder in self._superfluous() if delete_run(folder)]
        gone += [folder for folder in self._delivered.keys() - set(gone) if is_gone(folder)]
        for folder in gone:
            self._delivered.pop(folder, None)
            self._compact.discard(folder)
            self._sizes.pop(folder, None)
        for root in roots:
            self._keep_delivered_within_budget(root, waiting)
        self._keep_within_budget(waiting, in_hand)
        for root in roots:
            delete_leftovers(root)
            delete_old_locks(root, {self._key, *(run.destination for run in waiting.values())})
        return gone

    def _superfluous(self) -> Iterator[Path]:
        """Yield the delivered runs beyond the allowed number or age."""
        before = time.time() - self._limits.kept_seconds
        newest_first = sorted(self._delivered, key=lambda folder: folder.name, reverse=True)
        bounded = [folder for folder in newest_first if not self._delivered[folder].run.keep]
        for number, folder in enumerate(bounded):
            if number >= self._limits.kept_runs or self._delivered[folder].since < before:
                yield folder

    @staticmethod
    def _is_compact(folder: Path, run: Run) -> bool:
        try:
            return compact(folder, run)
        except OSError:
            return False  # out of reach now

    def _keep_delivered_within_budget(self, root: Path, waiting: Mapping[Path, Run]) -> None:
        """Delete the oldest delivered records of a root beyond their budget, and beyond half of the free space."""
        runs = {folder: known.run for folder, known in self._delivered.items()} | dict(waiting)
        folders = [
            folder
            for folder in sorted(runs, key=_age)
            if folder.parent == root and runs[folder].retain and not runs[folder].keep
        ]
        if self._excess(root, folders) <= 0:
            return
        for folder in folders:  # another shipper may have deleted some: all are measured again
            self._sizes.pop(folder, None)
        excess = self._excess(root, folders)
        for folder in folders:
            if excess <= 0:
                return
            if self._sizes.pop(folder, 1):
                with suppress(OSError):  # out of reach now
                    excess -= delete_delivered(folder, excess)

    def _excess(self, root: Path, folders: list[Path]) -> int:
        """Return the bytes of delivered records in folders of a root that are beyond what may stay."""
        whole = 0
        for folder in folders:
            size = self._sizes.get(folder)
            if size is None:
                size = _delivered_size(folder)
                if folder in self._compact:  # else it changes
                    self._sizes[folder] = size
            whole += size
        return whole - min(self._limits.kept_bytes, (_free_bytes(root) + whole) // 2)

    def _keep_within_budget(self, waiting: Mapping[Path, Run], in_hand: Mapping[Path, ClaimedJournal]) -> None:
        """Delete the oldest segments while the total is too large: first those of delivered runs that are kept."""
        kept = [folder for folder, known in self._delivered.items() if known.run.stays]
        kept.sort(key=lambda folder: (self._delivered[folder].run.keep, _age(folder)))
        sizes = {folder: self._sizes[folder] if folder in self._sizes else _size(folder) for folder in kept}
        sizes |= {folder: _size(folder) for folder in sorted(waiting, key=_age)}
        excess = sum(sizes.values()) - self._limits.total_bytes
        for folder in sizes:
            if excess <= 0:
                return
            before = excess
            self._sizes.pop(folder, None)
            excess -= _delete_segments(folder, excess, whole=folder in kept)
            if excess > 0 and folder in waiting:
                excess -= self._abandon(folder, in_hand.get(folder))
            if excess < before:
                self._say(
                    f"{folder.name}: deleted {before - excess:,} bytes, as the journals together exceed the limit"
                )

    @staticmethod
    def _abandon(folder: Path, journal: ClaimedJournal | None) -> int:
        """Delete the rest of a journal whose process has ended; return the freed bytes."""
        if may_live(folder):
            return 0
        journal = journal or ClaimedJournal.take(folder, interval_seconds=1)
        size = folder_size(folder)
        if journal is None or not journal.abandon():
            return 0
        return size


def _delete_segments(folder: Path, excess: float, *, whole: bool) -> int:
    """Delete the oldest segments, but not the newest one unless `whole`; return the freed bytes.

    A reader counts their records by the sequence number at the start of the next segment.
    """
    freed = 0
    numbers = segment_numbers(folder)
    for number in numbers if whole else numbers[:-1]:
        if freed >= excess:
            break
        freed += delete_segment(folder, number)
    return freed


def delete_run(folder: Path) -> bool:
    """Delete the journal of a complete run; return False if it must stay: it is in use, or to be kept."""
    run = read_run(folder)
    if run is not None and run.keep:
        return False
    return delete_journal(folder)


def delete_leftovers(root: Path) -> None:
    """Delete folders whose making, or deleting, a process did not live to finish."""
    try:
        names = os.listdir(root)
    except OSError:
        return
    for name in names:
        folder = root / name
        with suppress(OSError):
            if name.startswith(".") and folder.is_dir() and not folder.is_symlink():
                old = time.time() - folder.stat().st_mtime > _LEFTOVER_SECONDS
                if old and not may_live(folder):
                    shutil.rmtree(folder, ignore_errors=True)


def delete_old_locks(root: Path, wanted: set[str]) -> None:
    """Delete the lock, the log and the sign of every stopped shipper whose destination has no pending run.

    A shipper that starts at this moment holds the lock only if the file still exists: see `FileLock.acquire`.
    """
    for path in root.glob("shipper-*.lock"):
        key = path.stem.removeprefix("shipper-")
        try:
            young = time.time() - path.stat().st_mtime < _LEFTOVER_SECONDS
            lock = FileLock(path)
            if key not in wanted and not young and lock.acquire():
                path.unlink()
                for beside in (path.with_suffix(".log"), holder_path(path)):
                    beside.unlink(missing_ok=True)
                lock.release()
        except OSError:
            continue  # gone, or not ours: there is nothing that depends on it


def _size(folder: Path) -> int:
    try:
        return folder_size(folder)
    except OSError:
        return 0  # out of reach now: nothing of it can be deleted


def _delivered_size(folder: Path) -> int:
    try:
        return segments_size(folder, delivered_segments(folder))
    except OSError:
        return 0


def _free_bytes(root: Path) -> int:
    try:
        found = os.statvfs(root)
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize


def _can_list(root: Path) -> bool:
    try:
        os.listdir(root)
    except OSError:
        return False
    return True


def _age(folder: Path) -> str:
    return folder.name


_UNKNOWN: Final = Run(journal="", name="", created=0, process=0, destination="")
"""A run whose ``run.json`` cannot be read: no shipper delivers it, but it takes disk space like any other."""
