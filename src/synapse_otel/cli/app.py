"""The commands and their arguments; what a command needs is loaded when it runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from synapse_otel._version import __version__
from synapse_otel.cli.codes import USAGE_ERROR
from synapse_otel.cli.lines import tell
from synapse_otel.explained import Check

_RUN: Final = "Folder of a run, its name or a part of it, or the beginning of the id of its job or trace."
_NEWEST: Final = f"{_RUN} The newest that matches."
_CHECKS: Final = "Which checks to make; all if none is named."

app: Final = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the command line."""
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
    """Look at the runs of Synapse plugins that synapse-otel has recorded, and see to their delivery."""


def _show_version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"synapse-otel {__version__}")
        raise typer.Exit


@app.command()
def show(run: Annotated[str | None, typer.Argument(help=f"{_NEWEST} The last run if not given.")] = None) -> None:
    """Show what was recorded of a run: spans, progress, metrics, messages."""
    from synapse_otel.cli.show import show as command

    _finish(lambda: command(run))


@app.command(
    context_settings={"allow_interspersed_args": False},
    epilog="Ends as COMMAND ends; with 126 if it cannot be run, with 127 if it is not there.",
)
def run(
    command: Annotated[list[str], typer.Argument(help="The program and its arguments, behind --", show_default=False)],
    *,
    name: Annotated[str | None, typer.Option(help="What the run is called; the program's name if not given.")] = None,
    lines: Annotated[int, typer.Option(min=0, help="Last lines of stderr to keep; 0 leaves stderr alone.")] = 20,
    ship: Annotated[bool, typer.Option(help="Deliver what is recorded, or leave it to somebody else.")] = True,
    instrument: Annotated[bool, typer.Option(help="Record plugins that were written for the Synapse SDK.")] = True,
    endpoint: Annotated[str | None, typer.Option(help="Base address of the OTLP receiver.")] = None,
    journal_dir: Annotated[Path | None, typer.Option(help="Folder of all journals.")] = None,
) -> None:
    """Run a command: watch it, deliver what it records, and tell how it ended. Signals are passed on to it."""
    from synapse_otel.cli.run.child import CommandError
    from synapse_otel.cli.run.command import run as watch

    def watched() -> int:
        try:
            watch(
                command,
                name=name,
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
    ready_file: Annotated[Path | None, typer.Option(help="A file that is there as long as it delivers.")] = None,
    idle_exit: Annotated[
        float | None,
        typer.Option(min=0, help="Seconds without anything to do after which it ends; never if not given."),
    ] = None,
) -> None:
    """Deliver in the foreground until told to stop: for a sidecar, a systemd unit, a DaemonSet."""
    from synapse_otel.cli.deliver.ship import ship as command

    _finish(lambda: command(ready_file=ready_file, idle_exit=idle_exit))


@app.command()
def jobs(
    run: Annotated[
        str | None,
        typer.Argument(metavar="[TEXT]", help=f"{_RUN} A table where several match, or of all if not given."),
    ] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """List the runs, and tell what became of them; or all about one of them."""
    from synapse_otel.cli.jobs.command import jobs as command

    _finish(lambda: command(run, json=json))


@app.command()
def view(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN|FOLDER|FILE]",
            help=f"{_NEWEST} Or a folder of runs, or a file that export has written. All runs if not given.",
        ),
    ] = None,
    *,
    terminal: Annotated[bool, typer.Option("--terminal", help="Show them in this terminal.")] = False,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port; the first free one from 4319 on if not given.")
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open a browser, where there is one.")] = True,
    idle: Annotated[
        float | None, typer.Option(min=1, metavar="SECONDS", help="End when no page has been open for so long.")
    ] = None,
) -> None:
    """Look at runs live, in a browser or in the terminal: steps, progress, curves, messages. For this machine alone."""
    from synapse_otel.cli.view import view as command

    _finish(lambda: command(target, port=port, browser=browser, terminal=terminal, idle_seconds=idle))


@app.command()
def export(
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN|FILE]", help=f"{_NEWEST} Or a file of OTLP in JSON. The last run if not given."),
    ] = None,
    *,
    kind: Annotated[
        Literal["html", "otlp-json", "csv", "parquet"],
        typer.Option(
            "--format",
            help="html: one file with the whole page; otlp-json: the Collector's; csv, parquet: a folder of tables.",
        ),
    ] = "html",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file; for tables the folder.")] = None,
) -> None:
    """Write a run into a file: to attach to a ticket, to load elsewhere."""
    from synapse_otel.cli.export import export as command

    _finish(lambda: command(run, kind=kind, output=output))


@app.command()
def sync(
    run: Annotated[
        str | None, typer.Argument(help=f"{_NEWEST} Every pending run of this destination if not given.")
    ] = None,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Every pending run, also those that were recorded for other destinations.")
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(min=0, metavar="SECONDS", help="Go on for so long, also while requests fail; once if not given."),
    ] = None,
) -> None:
    """Deliver what is pending. Ends with 1 if something still is, with 2 if a setting or RUN is wrong."""
    from synapse_otel.cli.deliver.sync import sync as command

    _finish(lambda: command(run, everything=everything, timeout=timeout))


@app.command()
def doctor(
    check: Annotated[list[Check] | None, typer.Argument(help=_CHECKS, show_default=False)] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    probe: Annotated[bool, typer.Option(help="Send a log record, a metric point and a span, marked as probes.")] = True,
) -> None:
    """Find out why telemetry does not arrive. Ends with 1 if something is in its way."""
    from synapse_otel.cli.doctor import doctor as command

    _finish(lambda: command(check or None, json=json, probe=probe))


def _finish(command: Callable[[], int]) -> None:
    """Run a command and end with its exit code; what the user can put right is said on one line."""
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
