"""Saying something on one line."""

from __future__ import annotations

import sys
from typing import TextIO

import typer


def say(line: str) -> None:
    """Say something on stdout: what the command was asked for."""
    typer.echo(_shown(line, sys.stdout))


def tell(line: str) -> None:
    """Tell something on stderr: what the user should know besides."""
    try:
        typer.echo(_shown(f"synapse-otel: {line}", sys.stderr), err=True)
    except OSError:
        return  # nobody listens, and there is nobody else to tell


def _shown(line: str, stream: TextIO) -> str:
    encoding = getattr(stream, "encoding", None) or "ascii"
    return line if encoding.lower().startswith("utf") else line.replace("·", "|")
