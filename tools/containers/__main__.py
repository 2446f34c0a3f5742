"""Containers in an engine of our own: `python -m tools.containers prepare` and `python -m tools.containers measure`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tools.containers.engine import Engine
from tools.containers.errors import ContainersError, NoEngineError
from tools.containers.first_record import seconds_to_first_record
from tools.containers.images import make_images
from tools.containers.project import Project
from tools.stack.errors import StackError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command in `arguments`; returns the exit status."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    parser = argparse.ArgumentParser(prog="python -m tools.containers", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("prepare", help="make the images that the tests run, or say why no engine can run here")
    commands.add_parser("measure", help="measure how long docker compose takes from nothing to the first record")
    chosen = parser.parse_args(arguments)
    try:
        _prepare() if chosen.command == "prepare" else _measure()
    except NoEngineError as error:
        print(f"containers: NOT RUN: {error}", file=sys.stderr)
        return int(os.environ.get("CI") == "true")
    except (ContainersError, StackError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 1
    return 0


def _prepare() -> None:
    begin = time.monotonic()
    with Engine() as engine:
        _make_images(engine)
        version = engine.docker("version", "--format", "{{.Server.Version}}").strip()
    print(f"containers: images made with Docker {version} in {time.monotonic() - begin:.0f} s", flush=True)


def _measure() -> None:
    with Engine() as engine:
        _make_images(engine)
        up, found = seconds_to_first_record(Project(engine))
    print(f"docker compose up --wait: {up:.1f} s; the first record of a job found: {found:.1f} s", flush=True)


def _make_images(engine: Engine) -> None:
    with tempfile.TemporaryDirectory() as folder:
        make_images(engine, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
