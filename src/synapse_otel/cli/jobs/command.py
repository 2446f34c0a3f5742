"""``synapse-otel jobs``: the runs there are, and what became of them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from synapse_otel.cli.codes import DONE
from synapse_otel.cli.jobs.as_json import as_json
from synapse_otel.cli.jobs.details import details
from synapse_otel.cli.jobs.table import fitted_table, whole_table
from synapse_otel.cli.lines import say, tell
from synapse_otel.cli.roots import readable_roots
from synapse_otel.notices import Check, explained_by
from synapse_otel.runs import Overview, by_job, find_runs, run_groups, runs_of_job, same_run
from synapse_otel.settings import load_settings
from synapse_otel.shipper.end_hung import silent_shippers
from synapse_otel.ui.glyphs import ASCII, UNICODE


def jobs(run: str | None, *, json: bool) -> int:
    """Print the matching runs, or the details of one, and return the exit code; the arguments are as `app` has them.

    Raises:
        RunNotFoundError: there is no such run.
        SettingsError: a setting is wrong.
    """
    settings = load_settings()
    roots = readable_roots(settings)
    meant = None if run is None else find_runs(run, roots)
    if meant is not None and len(meant) == 1:
        one = Overview.read(same_run(meant[0], roots), stall_seconds=settings.stall_timeout)
        attempts = _attempts(one, roots, settings.stall_timeout)
        one = next((other for other in attempts if other.folders[0] == one.folders[0]), one)
        say(as_json(one) if json else "\n".join(details(one, attempts)))
        _tell_of_silence(roots)
        return DONE
    groups = by_job(_overviews(roots, settings.stall_timeout))
    found = [one for group in groups for one in group if meant is None or one.folders[0] in meant]
    found.sort(key=lambda one: (one.run.created, one.folders[0].name))
    if json:
        say(as_json(found))
    elif found:
        # Of all jobs each is one entry; those that somebody asks for are shown with their attempts.
        for line in _table([group[-1] for group in groups] if meant is None else found):
            say(line)
    else:
        say(f"there is no run in {settings.journal_dir}; SYNAPSE_OTEL_JOURNAL_DIR sets the folder")
    _tell_of_silence(roots)
    return DONE


def _tell_of_silence(roots: list[Path]) -> None:
    for silent in silent_shippers(roots):
        tell(f"{silent}; {explained_by(Check.RUNS)}")


def _attempts(one: Overview, roots: list[Path], stall_seconds: float) -> list[Overview]:
    """Return all runs of a run's job, the oldest first."""
    key = one.job_key
    if one.job is None or key is None:
        return []
    groups = [same_run(folder, roots) for folder in runs_of_job(one.job.id, roots)]
    found = [other for group in groups for other in _readable(group, stall_seconds) if other.job_key == key]
    return by_job(found)[0] if found else []


def _overviews(roots: list[Path], stall_seconds: float) -> Iterable[Overview]:
    for group in run_groups(roots):
        yield from _readable([known.folder for known in group], stall_seconds)


def _readable(folders: list[Path], stall_seconds: float) -> Iterable[Overview]:
    """Yield the run in these folders; nothing if it cannot be read, which is reported."""
    try:
        yield Overview.read(folders, stall_seconds=stall_seconds)
    except (OSError, LookupError) as error:
        if folders[0].exists():  # and was not deleted since it was listed
            tell(f"{folders[0].name}: {getattr(error, 'strerror', None) or error}")


def _table(found: list[Overview]) -> Iterable[str]:
    """Return the table as standard output can show it."""
    if sys.stdout is None or not sys.stdout.isatty():
        return whole_table(found)
    console = Console()
    colours = console.color_system is not None and not console.no_color
    glyphs = ASCII if console.options.ascii_only else UNICODE
    return fitted_table(found, console.width, glyphs, colours=colours)
