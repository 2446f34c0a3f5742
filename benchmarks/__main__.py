"""``python -m benchmarks [NAME ...]``: measure, print the tables, and end with status 1 where a bar is missed."""

from __future__ import annotations

import argparse
import importlib
import sys
import time

from benchmarks.machine import machine
from benchmarks.report import Bar, Table, bars_table, show, write
from benchmarks.unmeasured import Unmeasured

BENCHMARKS = {
    "calls": "costs:calls",
    "pythons": "pythons:pythons",
    "peers": "peers:peers",
    "layers": "layers:layers",
    "start": "starting:starting",
    "end": "ending:ending",
    "burst": "bursts:bursts",
    "delivered": "delivering:delivering",
    "kept": "keeping:keeping",
    "recover": "recovering:recovering",
    "growth": "growing:growing",
    "threads": "threads:threads",
    "outage": "outages:outage",
    "view": "viewing:viewing",
    "list": "listing:listing",
    "sdk": "sdk:sdk",
    "platform": "sdk_platform:platform",
    "tasks": "sdk_tasks:tasks",
    "usage": "using:using",
    "day": "days:day",
}
OPTIONAL = {"day", "platform", "pythons", "tasks"}
"""Measured only when asked for by name: they take minutes."""


def main() -> int:
    """Measure; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"{', '.join(BENCHMARKS)}; all but {', '.join(sorted(OPTIONAL))} if none is given",
    )
    parser.add_argument("--write", action="store_true", help="write the tables into docs/performance.md")
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - BENCHMARKS.keys():
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    tables = [_run(name) for name in chosen.names or [name for name in BENCHMARKS if name not in OPTIONAL]]
    if not chosen.names:
        tables = [bars_table(tables), *tables, machine()]
        show(tables[0])
    if chosen.write:
        for name in write(tables):
            print(f"docs/performance.md has no block for {name}", file=sys.stderr)
    missed = [bar.what for table in tables for bar in table.bars if not bar.met]
    for what in missed:
        print(f"missed: {what}", file=sys.stderr)
    return 1 if missed else 0


def _run(name: str) -> Table:
    module, _, function = BENCHMARKS[name].partition(":")
    begin = time.monotonic()
    try:
        table: Table = getattr(importlib.import_module(f"benchmarks.{module}"), function)()
    except Unmeasured as error:
        table = Table(
            name, f"{name}: not measured", ("why",), [(str(error),)], bars=[Bar(name, "measured", "not", met=False)]
        )
    show(table)
    print(f"{name} took {time.monotonic() - begin:.0f} s", file=sys.stderr)
    return table


if __name__ == "__main__":
    sys.exit(main())
