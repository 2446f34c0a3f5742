"""The commands and their arguments; a command loads its modules when it runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from synapse_otel._guard import allow_imports
from synapse_otel._version import __version__
from synapse_otel.cli.codes import USAGE_ERROR
from synapse_otel.cli.lines import tell
from synapse_otel.notices import Check

_RUN: Final = "A run: its folder, its name or part of it, a tag, or the first characters of its job id or trace id."
_NEWEST: Final = f"{_RUN} The newest match is used."
_CHECKS: Final = "Checks to run; all by default."

app: Final = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the command line."""
    allow_imports()
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")  # a terminal that lacks a character must not stop a command
    app(prog_name="synapse-otel")


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=lambda wanted: _show_version(wanted=wanted), is_eager=True)
    ] = False,
) -> None:
    """Show the runs of Synapse plugins that synapse-otel has recorded, and deliver them."""


def _show_version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"synapse-otel {__version__}")
        raise typer.Exit


@app.command()
def show(run: Annotated[str | None, typer.Argument(help=f"{_NEWEST} Default: the last run.")] = None) -> None:
    """Show the records of a run: spans, progress, metrics, messages."""
    from synapse_otel.cli.show import show as command

    _finish(lambda: command(run))


@app.command(
    context_settings={"allow_interspersed_args": False},
    epilog="Exits with the status of COMMAND; with 126 if it cannot be run, with 127 if it is not found.",
)
def run(
    command: Annotated[list[str], typer.Argument(help="The program and its arguments, after --", show_default=False)],
    *,
    name: Annotated[str | None, typer.Option(help="Name of the run. Default: what its job is called.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag of the run; may be given several times.")] = None,
    notes: Annotated[str | None, typer.Option(help="Notes about the run.")] = None,
    lines: Annotated[int, typer.Option(min=0, help="Keep so many last lines of stderr; 0: do not capture it.")] = 20,
    ship: Annotated[bool, typer.Option(help="Deliver the records, or leave delivery to another shipper.")] = True,
    instrument: Annotated[bool, typer.Option(help="Record plugins that were written for the Synapse SDK.")] = True,
    endpoint: Annotated[str | None, typer.Option(help="Base URL of the OTLP receiver.")] = None,
    journal_dir: Annotated[Path | None, typer.Option(help="Folder of all journals.")] = None,
) -> None:
    """Run a command, deliver its records and report how it ended. Signals are passed on to it."""
    from synapse_otel.cli.run.child import CommandError
    from synapse_otel.cli.run.command import run as watch

    def watched() -> int:
        try:
            watch(
                command,
                name=name,
                tags=tag or (),
                notes=notes,
                lines=lines,
                ship=ship,
                instrument=instrument,
                endpoint=endpoint,
                journal_dir=journal_dir,
            )
        except CommandError as error:
            tell(str(error))
            return error.code

    _finish(watched)


@app.command()
def ship(
    *,
    ready_file: Annotated[Path | None, typer.Option(help="File that exists while the shipper delivers.")] = None,
    idle_exit: Annotated[
        float | None,
        typer.Option(min=0, help="Exit after so many idle seconds. Default: never."),
    ] = None,
) -> None:
    """Deliver in the foreground until stopped: for a sidecar, a systemd unit, a DaemonSet."""
    from synapse_otel.cli.deliver.ship import ship as command

    _finish(lambda: command(ready_file=ready_file, idle_exit=idle_exit))


@app.command()
def jobs(
    run: Annotated[
        str | None,
        typer.Argument(metavar="[TEXT]", help=f"{_RUN} Several matches are shown as a table. Default: all runs."),
    ] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """List the runs and how they ended; or show one run in detail."""
    from synapse_otel.cli.jobs.command import jobs as command

    _finish(lambda: command(run, json=json))


@app.command()
def view(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN|FOLDER|FILE]",
            help=f"{_NEWEST} Or a folder of runs, or a file that `export` wrote. Default: all runs.",
        ),
    ] = None,
    *,
    terminal: Annotated[bool, typer.Option("--terminal", help="Show the runs in this terminal.")] = False,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port. Default: the first free one from 4319 on.")
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open a browser, if there is one.")] = True,
    idle: Annotated[
        float | None, typer.Option(min=1, metavar="SECONDS", help="Exit when no page has been open for so long.")
    ] = None,
) -> None:
    """Show runs live, in a browser or the terminal: steps, progress, curves, messages. Only for this machine."""
    from synapse_otel.cli.view import view as command

    _finish(lambda: command(target, port=port, browser=browser, terminal=terminal, idle_seconds=idle))


@app.command()
def export(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN|FILE",
            help=f"{_NEWEST} Or a file of OTLP in JSON. csv and parquet take several. Default: the last run.",
        ),
    ] = None,
    *,
    kind: Annotated[
        Literal["html", "otlp-json", "csv", "parquet"],
        typer.Option(
            "--format",
            help="html: the page in one file; otlp-json: the Collector's format; csv, parquet: a folder of tables.",
        ),
    ] = "html",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; for tables, a folder.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every match of RUN, such as all runs with a tag; without RUN every run.")
    ] = False,
    incomplete: Annotated[
        bool, typer.Option("--incomplete", help="Write what is left of a run, though some of its records are gone.")
    ] = False,
    images: Annotated[
        int, typer.Option(min=0, max=1024, metavar="MIB", help="html: MiB of images in the file at most; 0: none.")
    ] = 16,
) -> None:
    """Write a run to a file, to attach to a ticket or to load elsewhere; or several runs as one set of tables."""
    from synapse_otel.cli.export import export as command

    _finish(
        lambda: command(
            runs or (), kind=kind, output=output, incomplete=incomplete, everything=everything, images=images
        )
    )


@app.command()
def sync(
    run: Annotated[
        str | None, typer.Argument(help=f"{_NEWEST} Default: every pending run of this destination.")
    ] = None,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Every pending run, including those recorded for other destinations.")
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(min=0, metavar="SECONDS", help="Keep trying for so long while requests fail. Default: try once."),
    ] = None,
) -> None:
    """Deliver pending records. Exits with 1 if some are still pending, with 2 if a setting or RUN is wrong."""
    from synapse_otel.cli.deliver.sync import sync as command

    _finish(lambda: command(run, everything=everything, timeout=timeout))


@app.command()
def verify(
    run: Annotated[str | None, typer.Argument(help=f"{_NEWEST} Default: the last run.")] = None,
    *,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="All runs begun in this time, such as 30m, 24h or 7d.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    repair: Annotated[bool, typer.Option("--repair", help="Send again what is missing, and nothing else.")] = False,
    wait: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Ask again for so long while something is missing.")
    ] = 0.0,
    textfile: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Also write the result as metrics for node_exporter.")
    ] = None,
) -> None:
    """Compare what was recorded with what the backends hold. Exits with 1 if they lack a record."""
    from synapse_otel.cli.verify import verify as command

    _finish(lambda: command(run, since=since, json=json, repair=repair, wait=wait, textfile=textfile))


@app.command()
def doctor(
    check: Annotated[list[Check] | None, typer.Argument(help=_CHECKS, show_default=False)] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    probe: Annotated[bool, typer.Option(help="Send a log record, a metric point and a span, marked as probes.")] = True,
) -> None:
    """Find out why telemetry does not arrive. Exits with 1 if a check fails."""
    from synapse_otel.cli.doctor import doctor as command

    _finish(lambda: command(check or None, json=json, probe=probe))


def _finish(command: Callable[[], int]) -> None:
    """Run a command and exit with its code; errors that the user can correct are reported on one line."""
    from synapse_otel.settings import SettingsError

    try:
        code = command()
    except OSError as error:
        tell(f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error))
        code = USAGE_ERROR
    except (LookupError, SettingsError) as error:
        tell("; ".join([str(error), *getattr(error, "__notes__", [])]))
        code = USAGE_ERROR
    raise typer.Exit(code)
