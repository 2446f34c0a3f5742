"""``python -m benchmarks.collector [--write]``: measure the tiers, and end with status 1 where a bar is missed."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from benchmarks.collector.growth import growth
from benchmarks.collector.kafka import kafka, kafka_requests
from benchmarks.collector.log_store import log_store
from benchmarks.collector.plan import kafka_plan, plan
from benchmarks.collector.requests_rate import requests
from benchmarks.collector.throughput import throughput
from benchmarks.machine import machine
from benchmarks.report import Bar, Table, bars_table, show, write
from benchmarks.unmeasured import Unmeasured

PAGE = Path(__file__).parents[2] / "docs" / "scaling.md"
BENCHMARKS = {
    "throughput": throughput,
    "requests": requests,
    "growth": growth,
    "log-store": log_store,
    "kafka": kafka,
    "kafka-requests": kafka_requests,
}
PLANS = {"growth": plan, "kafka-requests": kafka_plan}
"""By the benchmark that it is computed from."""


def main() -> int:
    """Measure; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.collector", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(BENCHMARKS)}; all if none is given")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/scaling.md")
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - BENCHMARKS.keys():
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    tables = [_run(name) for name in chosen.names or BENCHMARKS]
    plans = [PLANS[table.name](table) for table in tables if table.name in PLANS]
    bars = [] if chosen.names else [bars_table(tables)]
    for table in (*plans, *bars):
        show(table)
    tables = [*bars, *tables, *plans, *([] if chosen.names else [machine()])]
    if chosen.write:
        for name in write(tables, PAGE):
            print(f"docs/scaling.md has no block for {name}", file=sys.stderr)
    missed = [bar.what for table in tables for bar in table.bars if not bar.met]
    for what in missed:
        print(f"missed: {what}", file=sys.stderr)
    return 1 if missed else 0


def _run(name: str) -> Table:
    begin = time.monotonic()
    try:
        table = BENCHMARKS[name]()
    except Unmeasured as error:
        unmeasured = Bar(name, "measured", "not", met=False)
        table = Table(name, f"{name}: not measured", ("why",), [(str(error),)], bars=[unmeasured])
    show(table)
    print(f"{name} took {time.monotonic() - begin:.0f} s", file=sys.stderr)
    return table


if __name__ == "__main__":
    sys.exit(main())
