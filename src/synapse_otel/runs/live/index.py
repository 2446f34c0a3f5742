"""`RunIndex`: all runs, each as a row of the list; checked again where something may have changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from time import monotonic
from typing import Final

from synapse_otel.journal.folder import is_listed, is_run, read_run, run_folders
from synapse_otel.journal.liveness import is_alive
from synapse_otel.journal.summary import Summary, SummaryFollower, summary_of
from synapse_otel.runs import KnownRun, Overview, RunState, grouped
from synapse_otel.runs.live.attempts import Attempts
from synapse_otel.runs.live.entry import UNREADABLE, Json, plain_path, row_of, run_id, unreadable_row
from synapse_otel.runs.live.values import RunValues

LOOK_SECONDS: Final = 0.4
"""How often the folders are looked through at most."""


@dataclass(slots=True)
class IndexedRun:
    """A run of the list."""

    folders: list[Path]
    row: Json | None = None
    """None: not read yet."""
    overview: Overview | None = None
    """None where it cannot be read."""
    version: int = 0
    """Grows whenever the row changes."""
    signature: tuple[int, ...] = ()
    followers: dict[Path, SummaryFollower] = field(default_factory=dict)
    values: RunValues = field(default_factory=RunValues)

    @property
    def lives(self) -> bool:
        """Whether it may change without its folder's time telling."""
        return self.overview is not None and self.overview.state.lives


class RunIndex:
    """The runs below folders of journals, and separate folders of runs. Methods may be called by any thread.

    Args:
        roots: folders of journals.
        folders: separate folders of runs.
        stall_seconds: how long a job may be silent before it counts as stalled.
    """

    def __init__(self, roots: Iterable[Path], folders: Iterable[Path] = (), *, stall_seconds: float) -> None:
        self._roots = list(dict.fromkeys(roots))
        self._folders = list(folders)
        self._stall_seconds = stall_seconds
        self._lock = RLock()
        self._known: dict[Path, KnownRun | None] = {}
        self._others: set[Path] = set()
        """Runs of other folders' jobs, in a fallback folder."""
        self._runs: dict[str, IndexedRun] = {}
        self._attempts = Attempts()
        self._looked = -LOOK_SECONDS
        self._clock = 0

    def get(self, name: str) -> IndexedRun | None:
        """Read and return a run by its id; None if there is none."""
        with self._lock:
            self._look()
            one = self._runs.get(name)
            if one is not None and (one.row is None or self._changed(one)):
                self._read(one)
            return one

    def ids(self) -> list[str]:
        """Return the ids of all runs, the newest first."""
        with self._lock:
            self._look()
            return list(self._runs)

    def refresh(self, seconds: float) -> bool:
        """Read new and changed runs, the newest first, for a limited time; return whether all have been read."""
        with self._lock:
            self._look()
            until = monotonic() + seconds
            for one in self._runs.values():
                if one.row is None or self._changed(one):
                    self._read(one)
                    if monotonic() > until:
                        break
            return all(one.row is not None for one in self._runs.values())

    def refresh_values(self, seconds: float) -> bool:
        """Read metrics and resource usage of the runs that have been read, for a limited time; return whether all are.

        The list is shown without waiting for them: see `RunValues` for what is read of which run.
        """
        with self._lock:
            until = monotonic() + seconds
            for one in self._runs.values():
                if one.row is not None and not one.values.complete:
                    whole = one.values.read(one.folders, one.overview, until)
                    self._set(one, one.row | one.values.columns())
                    if not whole or monotonic() > until:
                        break
            return all(one.values.complete for one in self._runs.values() if one.row is not None)

    def rows(self, after: int = 0) -> tuple[int, list[Json]]:
        """Return the rows that changed after a version, and the version that they are of."""
        with self._lock:
            found = [one.row for one in self._runs.values() if one.row is not None and one.version > after]
            return self._clock, found

    def owns(self, one: IndexedRun) -> bool:
        """Return whether all journals of a run are below the folders of journals."""
        return all(folder.parent in self._roots for folder in one.folders)

    def look_again(self) -> None:
        """Look through the folders at the next call: something was deleted."""
        with self._lock:
            self._looked = -LOOK_SECONDS

    def attempts(self, name: str) -> list[Json]:
        """Return the runs of a resumed job, the oldest first, as far as they have been read; empty if there is one."""
        with self._lock:
            rows = [self._runs[other].row for other in self._attempts.of(name) if other in self._runs]
            return [{key: row[key] for key in ("id", "name", "word", "tone", "start")} for row in rows if row]

    # --- looking --------------------------------------------------------------------------------------

    def _look(self) -> None:
        if monotonic() - self._looked < LOOK_SECONDS:
            return
        found = {folder for root in self._roots for folder in run_folders(root)}
        found |= {folder for folder in self._folders if is_run(folder)}
        self._others &= found
        found -= self._others
        # What could not be read may be whole by now; what was read once is written once.
        new = {folder for folder in found if self._known.get(folder) is None}
        gone = self._known.keys() - found
        if gone or new:
            for folder in gone:
                del self._known[folder]
            for folder in new:
                run = read_run(folder)
                if run and folder not in self._folders and not is_listed(run, folder.parent, self._roots):
                    self._others.add(folder)
                else:
                    self._known[folder] = KnownRun(folder, run) if run else None
            self._group()
        self._looked = monotonic()

    def _group(self) -> None:
        groups = [[known.folder for known in group] for group in grouped(filter(None, self._known.values()))]
        groups += [[folder] for folder, known in self._known.items() if known is None]
        groups.sort(key=lambda group: group[0].name, reverse=True)
        before, self._runs = self._runs, {}
        for group in groups:
            name = run_id(group[0])
            one = before.get(name)
            if one is None or one.folders != group:
                one = IndexedRun(group)
            self._runs.setdefault(name, one)
        for name, one in before.items():
            if self._runs.get(name) is not one:
                _close(one)
            if name not in self._runs:
                self._tell(self._attempts.remove(name))

    # --- reading --------------------------------------------------------------------------------------

    def _changed(self, one: IndexedRun) -> bool:
        return one.lives or one.signature != _signature(one.folders)

    def _read(self, one: IndexedRun) -> None:
        signature = _signature(one.folders)
        try:
            overview = Overview.read(
                one.folders, stall_seconds=self._stall_seconds, summary_of=lambda folder: self._summary(one, folder)
            )
            row = row_of(overview)
        except Exception as error:  # noqa: BLE001 - whatever stands in its files must not hide the other runs
            overview = None
            row = unreadable_row(one.folders[0], getattr(error, "strerror", None) or plain_path(error))
        if overview is None or not overview.state.lives:
            _close(one)
        one.overview, one.signature = overview, signature
        name = row["id"]
        others = self._attempts.place(name, overview.job_key if overview else None, overview.start if overview else 0)
        one.values.expire(lives=one.lives)
        self._set(one, row | one.values.columns() | {"attempts": self._attempts.of(name)})
        self._tell(others)

    def _summary(self, one: IndexedRun, folder: Path) -> Summary:
        """Return a journal's summary; one that is being written is followed, so that nothing is read twice."""
        known = self._known.get(folder)
        alive = is_alive(folder, known.run if known else None)
        follower = one.followers.get(folder)
        if follower is None:
            if not alive:
                return summary_of(folder)
            follower = one.followers[folder] = SummaryFollower(folder)
        return follower.read(ended=not alive)

    def _tell(self, names: Iterable[str]) -> None:
        """Renew which runs are of the same job as these."""
        for name in names:
            one = self._runs.get(name)
            if one is not None and one.row is not None:
                self._set(one, one.row | {"attempts": self._attempts.of(name)})

    def _set(self, one: IndexedRun, row: Json) -> None:
        if row != one.row:
            one.row = row
            self._clock += 1
            one.version = self._clock


def _close(one: IndexedRun) -> None:
    one.values.close()
    for follower in one.followers.values():
        follower.close()
    one.followers.clear()


def _signature(folders: Iterable[Path]) -> tuple[int, ...]:
    """Return a value that changes with an ended run: its cursors are renamed into its folder."""
    found = []
    for folder in folders:
        try:
            found.append(folder.stat().st_mtime_ns)
        except OSError:
            found.append(0)  # deleted in this moment, or not to be looked into: reading says so
    return tuple(found)


__all__ = ["LOOK_SECONDS", "UNREADABLE", "IndexedRun", "RunIndex", "RunState"]
