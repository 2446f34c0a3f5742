"""Saying something on one line."""

from __future__ import annotations

import os
import sys
from signal import SIGPIPE
from typing import TextIO

import typer

from synapse_otel.cli.codes import SIGNALLED


def say(line: str) -> None:
    """Print a line of the command's output on stdout.

    Raises:
        typer.Exit: stdout was closed by its reader.
    """
    try:
        typer.echo(_shown(line, sys.stdout))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains of it at its end
        raise typer.Exit(SIGNALLED + SIGPIPE) from None


def tell(line: str) -> None:
    """Print a note for the user on stderr."""
    try:
        typer.echo(_shown(f"synapse-otel: {line}", sys.stderr), err=True)
    except OSError:
        return  # nobody listens, and there is nobody else to tell


def _shown(line: str, stream: TextIO) -> str:
    encoding = getattr(stream, "encoding", None) or "ascii"
    return line if encoding.lower().startswith("utf") else line.replace("·", "|")
