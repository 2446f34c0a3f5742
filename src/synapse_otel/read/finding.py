"""Finding runs by what is known of them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from synapse_otel.journal.folder import spare_roots
from synapse_otel.read.parts import IncompleteWarning
from synapse_otel.read.saved_run import SavedRun
from synapse_otel.runs import Overview, RunNotFoundError, RunState, find_run, find_runs, run_groups, same_run
from synapse_otel.settings import load_settings


def run(text: str | None = None, *, folder: str | Path | None = None) -> SavedRun:
    """Return a run: the newest match.

    Args:
        text: its folder; its name or part of it; a tag; the first characters of its job id or trace id, as every RUN
            argument of ``synapse-otel`` takes it. None: the last run.
        folder: folder of journals. Default: the configured one, and the fallback folders.

    Raises:
        RunNotFoundError: there is none.
        OSError: the folder, or the run, cannot be read.
    """
    roots = _roots(folder)
    found = find_run(text, roots)
    return SavedRun(Overview.read(same_run(found, roots), stall_seconds=load_settings().stall_timeout))


def runs(
    text: str | None = None,
    *,
    tags: str | Iterable[str] = (),
    action: str | None = None,
    plugin: str | None = None,
    state: str | None = None,
    result: str | None = None,
    params: Mapping[str, Any] | None = None,
    since: datetime | None = None,
    folder: str | Path | None = None,
) -> list[SavedRun]:
    """Return all runs that match everything that is given, the oldest first; an empty list if there is none.

    A run that cannot be read is left out with an `IncompleteWarning`.

    Args:
        text: as `run` takes it; None: any run.
        tags: a tag or several; a run has all of them.
        action: action of its job.
        plugin: plugin of its job.
        state: ``live``, ``stalled``, ``crashed`` or ``done``.
        result: how its job ended, such as ``success`` or ``failure``.
        params: parameters of its job, and the values that they have.
        since: it began then or later; without a time zone it is local time.
        folder: folder of journals. Default: the configured one, and the fallback folders.

    Raises:
        ValueError: an unknown state.
        OSError: the folder cannot be read.
    """
    if state is not None and state not in set(RunState):
        raise ValueError(f"state is {', '.join(RunState)}, not {state!r}")
    roots = _roots(folder)
    groups = [[known.folder for known in group] for group in run_groups(roots)]
    if text is not None:
        try:
            meant = set(find_runs(text, roots))
        except RunNotFoundError:
            return []
        groups = [group for group in groups if group[0] in meant]
    wanted = {"action": action, "plugin": plugin, "state": state, "result": result}
    given = {name: value for name, value in wanted.items() if value is not None}
    labels = {tags} if isinstance(tags, str) else set(tags)
    return [
        one
        for one in _readable(groups)
        if labels <= set(one.tags)
        and all(getattr(one, name) == value for name, value in given.items())
        and all(name in one.params and one.params[name] == value for name, value in (params or {}).items())
        and (since is None or one.start >= since.timestamp() * 1e9)
    ]


def _roots(folder: str | Path | None) -> list[Path]:
    if folder is None:
        return [load_settings().journal_dir, *spare_roots()]
    root = Path(folder)
    if not root.is_dir():
        raise NotADirectoryError(f"{root} is not a folder of journals")
    return [root]


def _readable(groups: Iterable[list[Path]]) -> list[SavedRun]:
    stall_seconds = load_settings().stall_timeout
    found = []
    for folders in groups:
        try:
            found.append(SavedRun(Overview.read(folders, stall_seconds=stall_seconds)))
        except (OSError, LookupError) as error:
            if folders[0].exists():  # and was not deleted since it was listed
                text = f"{folders[0].name} is left out: {getattr(error, 'strerror', None) or error}"
                warnings.warn(text, IncompleteWarning, stacklevel=3)
    return found
