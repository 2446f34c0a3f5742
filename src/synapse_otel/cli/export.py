"""``synapse-otel export``: a run as a file to keep or to send."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from synapse_otel._text import counted
from synapse_otel.cli.codes import end_in_order
from synapse_otel.cli.lines import say, tell
from synapse_otel.cli.roots import readable_roots
from synapse_otel.journal.account import account_of
from synapse_otel.runs import emitted_records, find_run, run_groups, same_run
from synapse_otel.runs.gone import gone_notes
from synapse_otel.runs.otlp_file.reader import read_otlp_file
from synapse_otel.settings import Settings, load_settings
from synapse_otel.ui.formats import path as shown_path
from synapse_otel.ui.formats import size

if TYPE_CHECKING:
    from synapse_otel.runs.live.followed_run import FollowedRun

_ENDINGS: Final = {"html": ".html", "otlp-json": ".otlp.json", "csv": "", "parquet": ""}


def export(run: str | None, *, kind: str, output: Path | None, incomplete: bool = False) -> int:
    """Write a run to a file or folder, and return the exit code; the arguments are as `app` has them.

    Without an output, it is written into this folder under the run's name.

    Raises:
        OSError: it cannot be read or written.
        LookupError: there is no such run, the file has another format, a library for this kind is not installed, or
            records of the run are gone, and an incomplete file is not wanted.
        SettingsError: a setting is wrong.
    """
    settings = load_settings()
    roots = readable_roots(settings)
    with ExitStack() as stack:
        if run is not None and Path(run).is_file():
            end_in_order()
            roots = [stack.enter_context(read_otlp_file(Path(run)))]
            names = [group[0].folder.name for group in run_groups(roots)]
            if len(names) > 1:
                raise LookupError(
                    f"{run} has {len(names)} runs, and `export` takes one at a time: {', '.join(names[:5])}"
                )
            run = None
        return _export(find_run(run, roots, tell), roots, settings, kind=kind, output=output, incomplete=incomplete)


def _export(
    folder: Path, roots: list[Path], settings: Settings, *, kind: str, output: Path | None, incomplete: bool
) -> int:
    from synapse_otel.export.csv_tables import write_tables
    from synapse_otel.export.html import page_file
    from synapse_otel.export.parquet import check_parquet, write_parquet
    from synapse_otel.runs.live.entry import run_id
    from synapse_otel.runs.live.followed_run import FollowedRun
    from synapse_otel.runs.live.index import RunIndex
    from synapse_otel.ui.web.server import page

    if kind == "parquet":
        check_parquet()
    target = output or Path(folder.name + _ENDINGS[kind])
    folders = same_run(folder, roots)
    found = FollowedRun(folders)
    found.refresh()
    notes = _gone(found)
    if notes and not incomplete:
        raise LookupError(f"{folder.name}: {'; '.join(notes)}. --incomplete writes what is left")
    if kind in {"csv", "parquet"}:
        written = (write_tables if kind == "csv" else write_parquet)(found, target)
    elif kind == "otlp-json":
        from synapse_otel.export.otlp_json import write_otlp_file

        write_otlp_file(folders, target)
        written = [target]
    else:
        index = RunIndex(roots, [folder], stall_seconds=settings.stall_timeout)
        indexed = index.get(run_id(folder))
        if indexed is None:
            raise LookupError(f"{folder} cannot be read as a run")
        script, style = page("app.js").decode(), page("app.css").decode()
        text = page_file(indexed, found, script=script, style=style, jaeger_url=settings.jaeger_url)
        target.write_text(text, encoding="utf-8")
        written = [target]
    for path in written:
        say(f"{shown_path(str(path))}  {size(path.stat().st_size)}")
    for note in notes:
        tell(f"the file has what is left: {note}")
    return 0


def _gone(found: FollowedRun) -> list[str]:
    """Return in words which records of a run cannot be exported."""
    account = account_of(found.folders, sum(map(emitted_records, found.folders)))
    notes = gone_notes(found.missing, account)
    size, places = found.damage
    return [*notes, f"damaged and skipped: {counted(size, 'byte')} in {counted(places, 'place')}"] if places else notes
