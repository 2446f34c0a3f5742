"""``synapse-otel show``: the report of a run."""

from __future__ import annotations

from rich.console import Console

from synapse_otel.cli.codes import DONE
from synapse_otel.cli.lines import tell
from synapse_otel.cli.roots import readable_roots
from synapse_otel.runs import Recording, find_run, same_run
from synapse_otel.settings import load_settings
from synapse_otel.ui.printed import Report


def show(run: str | None) -> int:
    """Print the report of a run, by default the last one, and return the exit code.

    Raises:
        RunNotFoundError: there is no such run.
        SettingsError: a setting is wrong.
    """
    settings = load_settings()
    roots = readable_roots(settings)
    folders = same_run(find_run(run, roots, tell), roots)
    Console(highlight=False).print(Report(Recording.read(*folders, stall_seconds=settings.stall_timeout)))
    return DONE
