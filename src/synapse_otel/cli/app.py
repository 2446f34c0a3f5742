"""The commands and their arguments; what a command needs is loaded when it runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, Final

import typer

from synapse_otel._version import __version__

USAGE_ERROR: Final = 2
_RUN: Final = "Folder of a run, its name or a part of it, or the beginning of the id of its job or trace."

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
def show(run: Annotated[str | None, typer.Argument(help=f"{_RUN} The last run if not given.")] = None) -> None:
    """Show what was recorded of a run: spans, progress, metrics, messages."""
    from synapse_otel.cli.show import show as command

    _finish(lambda: command(run))


@app.command()
def sync(run: Annotated[str | None, typer.Argument(help=f"{_RUN} Every pending run if not given.")] = None) -> None:
    """Deliver what is pending, once. Ends with 1 if something still is, with 2 if a setting or RUN is wrong."""
    from synapse_otel.cli.sync import sync as command

    _finish(lambda: command(run))


def _finish(command: Callable[[], int]) -> None:
    """Run a command and end with its exit code; what the user can put right is said on one line."""
    from synapse_otel.recording import RunNotFoundError
    from synapse_otel.settings import SettingsError

    try:
        code = command()
    except (RunNotFoundError, SettingsError, OSError) as error:
        typer.echo(f"synapse-otel: {error}", err=True)
        code = USAGE_ERROR
    raise typer.Exit(code)
