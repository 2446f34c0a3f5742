"""Build and run the real servers: `python -m tools.stack build [PROGRAM...]` and `python -m tools.stack up`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from tools.stack.build import build
from tools.stack.errors import PortTakenError, StackError, ToolMissingError
from tools.stack.kafka import jars
from tools.stack.ports import known_ports
from tools.stack.recipes import Method, recipes
from tools.stack.servers import PROGRAMS
from tools.stack.stack import PARTS, Stack

FAILED = 1
CANNOT_START = 2
NO_PAGE = "answers queries; its web page comes with docker compose only"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command in `arguments`; returns the exit status: 1 failed, 2 something to set right first."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # all of them end in KeyboardInterrupt
    chosen = _parse(arguments)
    try:
        if chosen.command == "build":
            _build(chosen.programs or _buildable())
        else:
            _up()
    except KeyboardInterrupt:
        print("stopped", flush=True)
    except (PortTakenError, ToolMissingError, ValueError) as error:
        print(error, file=sys.stderr)
        return CANNOT_START
    except (StackError, OSError) as error:
        print(error, file=sys.stderr)
        return FAILED
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.stack", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    build_command = commands.add_parser("build", help="build the servers that are absent from the cache")
    known = ", ".join(recipes())
    build_command.add_argument("programs", nargs="*", metavar="PROGRAM", help=f"{known}; all if none is named")
    commands.add_parser("up", help="run agent, gateway, Jaeger, Prometheus and VictoriaLogs until Ctrl-C")
    chosen = parser.parse_args(arguments)
    if unknown := set(getattr(chosen, "programs", ())) - set(recipes()):
        parser.error(f"no such program: {', '.join(sorted(unknown))}; there are {known}")
    return chosen


def _buildable() -> list[str]:
    """Return every program but, on a machine without Java that is not CI's, Kafka; say so."""
    try:
        jars.find_maven()
    except ToolMissingError as error:
        if os.environ.get("CI") == "true":
            raise
        print(f"left out: {error}", file=sys.stderr)
        return [part for part, recipe in recipes().items() if recipe.method is not Method.MAVEN]
    return list(recipes())


def _build(programs: Iterable[str]) -> None:
    for name, folder in build(programs).items():
        print(f"{name:<16} {recipes()[name].version:<9} {folder}", flush=True)


def _up() -> None:
    """Run all parts; returns only by an error or KeyboardInterrupt, with everything stopped."""
    ports = known_ports()
    build(dict.fromkeys(PROGRAMS[part] for part in PARTS))
    began = time.monotonic()
    print("starting agent, gateway, Jaeger, Prometheus and VictoriaLogs", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="synapse-otel-stack-", ignore_cleanup_errors=True) as directory,
        Stack(directory=Path(directory), ports=ports) as stack,
    ):
        print(_addresses(stack, time.monotonic() - began), flush=True)
        while True:
            stack.check()
            time.sleep(0.2)


def _addresses(stack: Stack, seconds: float) -> str:
    rows = (
        ("OTLP over HTTP", stack.otlp_http, ""),
        ("OTLP over gRPC", stack.otlp_grpc, ""),
        ("Jaeger", stack.jaeger, NO_PAGE),
        ("Prometheus", stack.prometheus, NO_PAGE),
        ("VictoriaLogs", stack.victorialogs, ""),
    )
    return "\n".join(
        (
            f"ready after {seconds:.1f} s; data and logs, until it stops, in {stack.directory}",
            *(f"  {name:<15} {address:<23} {note}".rstrip() for name, address, note in rows),
            f"To send jobs there:     export OTEL_EXPORTER_OTLP_ENDPOINT={stack.otlp_http}",
            f"Their newest messages:  {stack.newest_logs}",
            "Ctrl-C stops all of it",
        )
    )


if __name__ == "__main__":
    sys.exit(main())
