"""Finding runs: by folder, by name, by the id of their job or trace."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from synapse_otel.journal.folder import RUN_FILE, Run, read_run, run_folders, segment_numbers
from synapse_otel.journal.frames import Kind, Span
from synapse_otel.journal.reader import JournalReader, Position
from synapse_otel.signals import semconv

_SHOWN: Final = 5
_SHORTEST_ID: Final = 4


class RunNotFoundError(LookupError):
    """No run, or more than one, is meant; the message says what there is."""


@dataclass(frozen=True, slots=True)
class KnownRun:
    """A run as its folder tells, without its records having been read."""

    folder: Path
    run: Run


def known_runs(roots: Iterable[Path]) -> list[KnownRun]:
    """Return the runs below the folders of journals, the oldest first.

    A journal that goes on with another one's run (of a forked process, or where a disk was full) is no run of its own.
    """
    found = [KnownRun(folder, run) for root in roots for folder in run_folders(root) if (run := read_run(folder))]
    journals = {known.run.journal for known in found}
    own = [known for known in found if not _continues(known.run, journals)]
    return sorted(own, key=lambda known: (known.run.created, known.folder.name))


def same_run(folder: Path, roots: Iterable[Path] = ()) -> list[Path]:
    """Return all journals of a run, the one in ``folder`` first, then those that go on with it, the oldest first."""
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


def find_run(text: str | None, roots: Iterable[Path]) -> Path:
    """Return the folder of a run.

    Args:
        text: path of its folder; its folder's name, or a part that only one name has; the beginning of the id of its
            job or trace. None: the last run.
        roots: folders of journals.

    Raises:
        RunNotFoundError: there is none, or ``text`` fits more than one.
    """
    if text is not None and _is_path(text):
        return Path(text).absolute()
    roots = list(roots)
    runs = known_runs(roots)
    if not runs:
        places = " or ".join(str(root) for root in roots[:1])
        raise RunNotFoundError(f"there is no run in {places}; SYNAPSE_OTEL_JOURNAL_DIR says where to look")
    if text is None:
        return runs[-1].folder
    named = [known for known in runs if known.folder.name == text] or [
        known for known in runs if text in known.folder.name
    ]
    found = named or [known for known in runs if _has_id(known.folder, text)]
    if len(found) == 1:
        return found[0].folder
    names = ", ".join(known.folder.name for known in reversed((found or runs)[-_SHOWN:]))
    more = f" and {len(found or runs) - _SHOWN:,} more" if len(found or runs) > _SHOWN else ""
    if found:
        raise RunNotFoundError(f"{text!r} fits {len(found)} runs: {names}{more}")
    raise RunNotFoundError(f"there is no run {text!r}; there are {names}{more}")


def _continues(run: Run, journals: set[str]) -> bool:
    return bool(run.parent) and run.parent != run.journal and run.parent in journals


def _is_path(text: str) -> bool:
    if os.sep not in text and text not in {".", ".."}:
        return False
    folder = Path(text)
    if not (folder / RUN_FILE).is_file():
        raise RunNotFoundError(f"{text} is not the folder of a run: it has no {RUN_FILE}")
    return True


def _has_id(folder: Path, text: str) -> bool:
    """Say whether a job in the oldest segment that is left has an id, or is in a trace, that begins with ``text``."""
    numbers = segment_numbers(folder)
    if len(text) < _SHORTEST_ID or not numbers:
        return False
    reader = JournalReader(folder, Position(numbers[0]))
    try:
        for frame in reader.read(ended=True):
            span = frame.decode() if frame.kind in {Kind.SPAN, Kind.SPAN_OPEN} else None
            if not isinstance(span, Span) or semconv.ACTION not in span.attributes:
                continue
            job_id = str(span.attributes.get(semconv.JOB_ID, ""))
            if job_id.startswith(text) or span.trace_id.hex().startswith(text.lower()):
                return True
    finally:
        reader.close()
    return False
