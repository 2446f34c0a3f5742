"""``synapse-otel export``: a run as a file to keep, or to send to somebody."""

from __future__ import annotations

from pathlib import Path

from synapse_otel.cli.lines import say, tell
from synapse_otel.cli.roots import journal_roots
from synapse_otel.recording import find_run, same_run
from synapse_otel.report.words import path as shown_path
from synapse_otel.report.words import size
from synapse_otel.settings import load_settings


def export(run: str | None, *, kind: str, output: Path | None) -> int:
    """Write a run into a file or folder, and return the exit code.

    Args:
        run: the run, as `find_run` takes it; None: the last one.
        kind: ``html``, ``otlp-json`` or ``csv``.
        output: where to; None: in this folder, by the run's name.

    Raises:
        OSError: it cannot be read or written.
        RunNotFoundError: there is no such run.
        SettingsError: a setting is wrong.
    """
    from synapse_otel.view.gathering import Gathered
    from synapse_otel.view.page_file import page_file
    from synapse_otel.view.rows import run_id
    from synapse_otel.view.server import page
    from synapse_otel.view.shelf import Shelf
    from synapse_otel.view.tables import write_tables

    settings = load_settings()
    roots = journal_roots(settings)
    folder = find_run(run, roots)
    target = output or Path(folder.name + {"html": ".html", "otlp-json": ".otlp.json", "csv": ""}[kind])
    folders = same_run(folder, roots)
    found = Gathered(folders)
    found.refresh()
    if kind == "csv":
        written = write_tables(found, target)
    elif kind == "otlp-json":
        from synapse_otel.shipper.otlp_file import write_otlp_file

        write_otlp_file(folders, target)
        written = [target]
    else:
        shelf = Shelf(roots, [folder], stall_seconds=settings.stall_timeout)
        shelved = shelf.get(run_id(folder))
        if shelved is None:
            raise LookupError(f"{folder} cannot be read as a run")
        script, style = page("app.js").decode(), page("app.css").decode()
        text = page_file(shelved, found, script=script, style=style, jaeger_url=settings.jaeger_url)
        target.write_text(text, encoding="utf-8")
        written = [target]
    for path in written:
        say(f"{shown_path(str(path))}  {size(path.stat().st_size)}")
    if found.damage[1] or found.missing:
        tell("some of the run's records are damaged, or no longer there: the rest is in the file")
    return 0
