"""What the same load costs as it comes from more and more jobs."""

from __future__ import annotations

from benchmarks.collector.running import disturbed, running
from benchmarks.report import Bar, Table

JOBS = (100, 1_000, 10_000)
RATE = 800
"""Requests a second of all jobs together."""
_SECONDS = 6.0
_TIMES = 1.5


def growth() -> Table:
    """Return the table."""
    rows, loads = [], []
    for jobs in JOBS:
        with running() as tiers:
            load = tiers.load("mix", jobs=jobs, seconds=_SECONDS, connections=50, rate=RATE)
        sent = load.sent
        loads.append(load)
        rows.append(
            (
                f"{jobs:,}",
                f"{load.requests_a_second:,.0f}",
                f"{load.records_a_second:,.0f}",
                f"{sent.bytes / sent.requests:,.0f}",
                *(f"{seconds / sent.requests * 1e6:.0f}" for seconds in load.cpu_seconds.values()),
                f"{load.delay(0.5) * 1e3:,.0f}",
                *(f"{mebibytes:.0f}" for mebibytes in load.peak_mebibytes.values()),
            )
        )
    head = (
        "jobs", "requests/s", "records/s", "bytes/request", "agent, µs/request", "gateway, µs/request",
        "arrives after, median ms", "agent, MiB", "gateway, MiB",
    )  # fmt: skip
    notes = (
        f"The mix of the table above, {RATE:,} requests a second from all jobs together, the agent's queue on disk. "
        f"{disturbed(loads)}"
    )
    first, last = (load.tiers_cpu_seconds / load.sent.requests for load in (loads[0], loads[-1]))
    ratio = last / first
    bar = Bar(
        f"cost of a request, {JOBS[-1]:,} jobs against {JOBS[0]:,}",
        f"at most {_TIMES}x",
        f"{ratio:.2f}x",
        ratio <= _TIMES,
    )
    return Table("growth", "Cost as jobs grow", head, rows, notes, [bar])
