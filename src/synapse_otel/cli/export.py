"""``synapse-otel export``: a run as a file to keep or to send; several runs as one set of tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from synapse_otel.cli.codes import DONE, end_in_order
from synapse_otel.cli.lines import say, tell
from synapse_otel.cli.roots import readable_roots
from synapse_otel.runs import Overview, find_run, find_runs, run_groups, same_run
from synapse_otel.runs.otlp_file.reader import read_otlp_file
from synapse_otel.settings import Settings, load_settings
from synapse_otel.ui.formats import path as shown_path
from synapse_otel.ui.formats import size

if TYPE_CHECKING:
    from synapse_otel.runs.live.followed_run import FollowedRun
    from synapse_otel.runs.live.tables import Column

_ENDINGS: Final = {"html": ".html", "otlp-json": ".otlp.json"}
_TABLES: Final = frozenset({"csv", "parquet"})
_SEVERAL: Final = Path("runs")
"""The folder of the tables of several runs."""


def export(
    runs: Sequence[str],
    *,
    kind: str,
    output: Path | None,
    images: int,
    incomplete: bool = False,
    everything: bool = False,
) -> int:
    """Write runs to a file or folder, and return the exit code; the arguments are as `app` has them.

    Without an output, one run is written into this folder under its name, several into the folder `runs`.

    Raises:
        OSError: one cannot be read or written.
        LookupError: there is no such run, the file has another format, a library for this kind is not installed, this
            kind takes one run and there are several, or records of a run are gone, and an incomplete file is not
            wanted.
        SettingsError: a setting is wrong.
    """
    settings = load_settings()
    roots = readable_roots(settings)
    if kind == "parquet":
        from synapse_otel.export.parquet import check_parquet

        check_parquet()
    with ExitStack() as stack:
        found: dict[Path, tuple[list[Path], list[Path]]] = {}
        for run in runs or (None,):
            places = roots
            if run is not None and Path(run).is_file():
                end_in_order()
                places = [stack.enter_context(read_otlp_file(Path(run)))]
                groups = _groups(None, places, everything=True)
                if len(groups) > 1 and kind not in _TABLES:
                    names = ", ".join(group[0].name for group in groups[:5])
                    raise LookupError(f"{run} has {len(groups)} runs, and {kind} takes one: {names}")
            else:
                groups = _groups(run, roots, everything=everything)
            found |= {group[0]: (group, places) for group in groups}
        if kind in _TABLES:
            groups = [group for group, _places in found.values()]
            return _export_tables(groups, kind=kind, output=output, incomplete=incomplete)
        if len(found) > 1:
            raise LookupError(f"{kind} takes one run, and these are {len(found)}: csv and parquet take several")
        ((group, places),) = found.values()
        return _export_one(
            group, places, settings, kind=kind, output=output, incomplete=incomplete, images=images << 20
        )


def _groups(run: str | None, roots: list[Path], *, everything: bool) -> list[list[Path]]:
    """Return the journals of the newest match, or of every match; None stands for the last run, or for every run."""
    if not everything:
        return [same_run(find_run(run, roots, tell), roots)]
    known = {group[0].folder: [one.folder for one in group] for group in run_groups(roots)}
    meant = list(known) if run is None and known else find_runs(run, roots)
    return [known.get(folder) or same_run(folder, roots) for folder in meant]


def _export_tables(groups: list[list[Path]], *, kind: str, output: Path | None, incomplete: bool) -> int:
    from synapse_otel.export.csv_tables import write_tables
    from synapse_otel.export.parquet import write_parquet
    from synapse_otel.runs.live.tables import run_columns

    overviews = [Overview.read(group) for group in groups]
    before = run_columns(overviews) if len(overviews) > 1 else {}
    target = output or (Path(groups[0][0].name) if len(groups) == 1 else _SEVERAL)
    notes: list[str] = []
    with _staged(target) as place:
        write = write_tables if kind == "csv" else write_parquet
        written = write(_each(overviews, before, notes), place, before)
        if notes and not incomplete:
            raise LookupError(f"{'; '.join(notes)}. --incomplete writes what is left")
        written = [path.replace(target / path.name) for path in written]
    return _tell_of(written, notes)


@contextmanager
def _staged(target: Path) -> Iterator[Path]:
    """Make a folder and return one inside of it, for files to be moved into it: there are all of them, or none."""
    made = not target.exists()
    target.mkdir(parents=True, exist_ok=True)
    try:
        with TemporaryDirectory(prefix=".synapse-otel-export-", dir=target) as place:
            yield Path(place)
    except BaseException:
        if made:
            target.rmdir()
        raise


def _each(
    overviews: Sequence[Overview], before: dict[str, Column], notes: list[str]
) -> Iterator[tuple[FollowedRun, tuple[Any, ...]]]:
    """Yield runs with what they have in the first columns, one at a time in memory; add to ``notes`` what is gone."""
    from synapse_otel.runs.live.followed_run import FollowedRun
    from synapse_otel.runs.live.tables import run_values

    for one in overviews:
        with closing(FollowedRun(one.folders)) as found:
            found.refresh()
            notes += [f"{one.folders[0].name}: {note}" for note in found.gone]
            yield found, run_values(one, before) if before else ()


def _export_one(
    folders: list[Path],
    roots: list[Path],
    settings: Settings,
    *,
    kind: str,
    output: Path | None,
    incomplete: bool,
    images: int,
) -> int:
    from synapse_otel.export.html import page_file
    from synapse_otel.runs.live.entry import run_id
    from synapse_otel.runs.live.followed_run import FollowedRun
    from synapse_otel.runs.live.index import RunIndex
    from synapse_otel.ui.web.bundle import page

    folder = folders[0]
    target = output or Path(folder.name + _ENDINGS[kind])
    found = FollowedRun(folders)
    found.refresh()
    notes = found.gone
    if notes and not incomplete:
        raise LookupError(f"{folder.name}: {'; '.join(notes)}. --incomplete writes what is left")
    if kind == "otlp-json":
        from synapse_otel.export.otlp_json import write_otlp_file

        write_otlp_file(folders, target)
    else:
        index = RunIndex(roots, [folder], stall_seconds=settings.stall_timeout)
        indexed = index.get(run_id(folder))
        if indexed is None:
            raise LookupError(f"{folder} cannot be read as a run")
        script, style = page("app.js").decode(), page("app.css").decode()
        text = page_file(indexed, found, script=script, style=style, jaeger_url=settings.jaeger_url, images=images)
        target.write_text(text, encoding="utf-8")
    return _tell_of([target], notes)


def _tell_of(written: Sequence[Path], notes: Sequence[str]) -> int:
    for path in written:
        say(f"{shown_path(str(path))}  {size(path.stat().st_size)}")
    for note in notes:
        tell(f"the file has what is left: {note}")
    return DONE
