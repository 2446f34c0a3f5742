"""Finding runs: by folder, by name, by tag, by the id of their job or trace."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from synapse_otel import semconv
from synapse_otel.journal.folder import RUN_FILE, Run, is_listed, is_run, read_run, run_folders
from synapse_otel.journal.summary import JobSummary, read_summary, summarise

NAME_END: Final = "~"
"""Separator in a token (`Run.watched`) between the given name and the unique part."""
_SHOWN: Final = 5
_SHORTEST_ID: Final = 4


class RunNotFoundError(LookupError):
    """No run matches; the message lists the runs."""


@dataclass(frozen=True, slots=True)
class KnownRun:
    """A run, from its folder, without its records."""

    folder: Path
    run: Run


def run_groups(roots: Iterable[Path]) -> list[list[KnownRun]]:
    """Return the runs below the folders of journals, the oldest first, each with all its journals, its first one first.

    A journal that continues another one's run (of a forked process, or after a full disk) is not a separate run.
    Runs that another folder's jobs have left in a fallback folder are left out.
    """
    places = list(dict.fromkeys(roots))
    found = {
        folder: KnownRun(folder, run)
        for root in places
        for folder in run_folders(root)
        if (run := read_run(folder)) and is_listed(run, root, places)
    }
    return grouped(found.values())


def grouped(found: Iterable[KnownRun]) -> list[list[KnownRun]]:
    """Return journals by run, as `run_groups` does."""
    ordered = sorted(found, key=lambda known: (known.run.created, known.folder.name))
    by_journal = {known.run.journal: known for known in ordered}
    groups: dict[str, list[KnownRun]] = {}
    for known in ordered:
        groups.setdefault(_first(known.run, by_journal).journal, []).append(known)
    for first, group in groups.items():
        group.sort(key=lambda known: known.run.journal != first)  # a clock that was set back puts no child first
    return list(groups.values())


def _first(run: Run, by_journal: Mapping[str, KnownRun]) -> Run:
    """Return the run that another one belongs to in the end."""
    seen = {run.journal}
    while run.parent in by_journal and run.parent not in seen:
        seen.add(run.parent)
        run = by_journal[run.parent].run
    return run


def known_runs(roots: Iterable[Path]) -> list[KnownRun]:
    """Return the first journals of the runs below the folders of journals, the oldest first."""
    return [group[0] for group in run_groups(roots)]


def same_run(folder: Path, roots: Iterable[Path] = ()) -> list[Path]:
    """Return all journals of a run, the one in ``folder`` first, then those that continue it, the oldest first."""
    others: dict[Path, Run] = {}
    for root in dict.fromkeys((folder.parent, *roots)):
        others |= {other: run for other in run_folders(root) if other != folder and (run := read_run(other))}
    first = read_run(folder)
    members = {first.journal} if first else set()
    found: list[Path] = []
    for other, run in sorted(others.items(), key=lambda item: item[1].created):
        if run.journal in members or run.parent in members:
            members.add(run.journal)
            found.append(other)
    return [folder, *found]


def find_run(text: str | None, roots: Iterable[Path], note: Callable[[str], object] | None = None) -> Path:
    """Return the folder of a run: the newest match.

    Args:
        text: path of its folder; its name or its folder's, or a part of one; a tag; the first characters of its job
            id or trace id. None: the last run.
        roots: folders of journals.
        note: called with a line if ``text`` matches more than one run.

    Raises:
        RunNotFoundError: there is none.
    """
    found = find_runs(text, roots)
    if len(found) > 1 and note is not None:
        note(f"{text!r} matches {len(found):,} runs; this is the newest, {found[-1].name}")
    return found[-1]


def find_runs(text: str | None, roots: Iterable[Path]) -> list[Path]:
    """Return the folders of all matching runs, the oldest first: see `find_run`.

    Raises:
        RunNotFoundError: there is none.
    """
    if text is not None and _is_path(text):
        return [Path(text).absolute()]
    roots = list(roots)
    runs = known_runs(roots)
    if not runs:
        places = " or ".join(str(root) for root in roots[:1])
        raise RunNotFoundError(f"there is no run in {places}; SYNAPSE_OTEL_JOURNAL_DIR sets the folder")
    if text is None:
        return [runs[-1].folder]
    jobs = _Jobs()
    for means in (_is_called, _names_job, _is_of_job, _is_tagged, _contains, _has_id):
        found = [known.folder for known in runs if means(known, text, jobs)]
        if found:
            return found
    names = ", ".join(known.folder.name for known in reversed(runs[-_SHOWN:]))
    more = f" and {len(runs) - _SHOWN:,} more" if len(runs) > _SHOWN else ""
    near = nearest(text, _names(runs, jobs))
    meant = f"did you mean {near}? The runs are" if near else "the runs are"
    raise RunNotFoundError(f"there is no run {text!r}; {meant} {names}{more}")


def nearest(text: str, names: Iterable[str]) -> str:
    """Return the name that is most like a text, the first of equals; empty if none is like it."""
    by_letters = {name.casefold(): name for name in reversed(list(names))}
    found = get_close_matches(text.casefold(), by_letters, n=1)
    return by_letters[found[0]] if found else ""


class _Jobs(dict[Path, list[JobSummary]]):
    """The jobs of runs by their folders, each read when it is first asked for."""

    def __missing__(self, folder: Path) -> list[JobSummary]:
        try:
            found = list((read_summary(folder) or summarise(folder)).jobs.values())
        except OSError:
            found = []  # another run's, perhaps: it must not keep this one from being found
        self[folder] = found
        return found


def _names(runs: Iterable[KnownRun], jobs: _Jobs) -> Iterator[str]:
    """Yield what runs are called and tagged with, and their jobs' ids, the newest first."""
    for known in reversed(list(runs)):
        yield from filter(None, (known.run.name, run_name(known.run)))
        for job in jobs[known.folder]:
            yield from (job.name, *job.tags)
        yield from _ids(jobs[known.folder])


def runs_of_job(job_id: str, roots: Iterable[Path]) -> list[Path]:
    """Return the folders of all runs with a job of this id, the oldest first."""
    jobs = _Jobs()
    return [known.folder for known in known_runs(roots) if job_id in _ids(jobs[known.folder])]


def is_one_job(folders: Iterable[Path]) -> bool:
    """Return whether these are the runs of one resumed job."""
    jobs = _Jobs()
    ids = [_ids(jobs[folder]) for folder in folders]
    return bool(ids) and bool(set.intersection(*ids))


def run_name(run: Run) -> str:
    """Return the name given to ``synapse-otel run``; empty if none was given, or the run is not watched."""
    return run.watched.rpartition(NAME_END)[0]


def _is_path(text: str) -> bool:
    if os.sep not in text and text not in {".", ".."}:
        return False
    folder = Path(text)
    if not is_run(folder):
        raise RunNotFoundError(f"{text} is not the folder of a run: it has no {RUN_FILE}")
    return True


def _is_called(known: KnownRun, text: str, _jobs: _Jobs) -> bool:
    return text in {known.folder.name, known.run.name, run_name(known.run)}


def _contains(known: KnownRun, text: str, _jobs: _Jobs) -> bool:
    return any(text in name for name in (known.folder.name, known.run.name, run_name(known.run)))


def _names_job(known: KnownRun, text: str, jobs: _Jobs) -> bool:
    """Return whether a job of a run, one inside another perhaps, is called so."""
    return any(text == job.name for job in jobs[known.folder])


def _is_tagged(known: KnownRun, text: str, jobs: _Jobs) -> bool:
    return any(text in job.tags for job in jobs[known.folder])


def _is_of_job(known: KnownRun, text: str, jobs: _Jobs) -> bool:
    return text in _ids(jobs[known.folder])


def _has_id(known: KnownRun, text: str, jobs: _Jobs) -> bool:
    """Return whether a job id or trace id of a run begins with ``text``."""
    if len(text) < _SHORTEST_ID:
        return False
    traces = {job.trace_id for job in jobs[known.folder]}
    return any(one.startswith(text) for one in _ids(jobs[known.folder])) or any(
        one.startswith(text.lower()) for one in traces
    )


def _ids(jobs: Iterable[JobSummary]) -> set[str]:
    return {str(job.attributes.get(semconv.JOB_ID, "")) for job in jobs} - {""}
