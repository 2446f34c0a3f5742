"""Log records a second through both tiers, from the job's request to the backend, with every queue on the disk."""

from __future__ import annotations

from benchmarks.collector.running import Load, disturbed, running
from benchmarks.report import Bar, Table

WANTED = 80_000
_RATES = (30, 40, 50, 60, 70)
"""Requests a second, each of 2,000 records."""
_SECONDS = 6.0
BACKLOG_SECONDS = 1.0
"""More than this at the end: the tiers have fallen behind."""
_BATCHING_SECONDS = 0.4
"""What a batch that is not full waits for, in both tiers together."""
_IDLE_MEBIBYTES = 60


def throughput() -> Table:
    """Offer more and more until the tiers fall behind; return the table."""
    rows: list[tuple[str, ...]] = []
    loads: list[Load] = []
    with running() as tiers:
        for rate in _RATES:
            load = tiers.load("bulk", jobs=100, seconds=_SECONDS, connections=8, rate=rate)
            kept = load.backlog_seconds < BACKLOG_SECONDS
            loads.append(load)
            rows.append(_row(rate * 2000, load, kept=kept))
            if not kept:
                break
        idle = tiers.idle_mebibytes["agent"]
    found = max(map(through, loads))
    head = (
        "offered, records/s", "through both tiers", "keeps up", "arrives after, median ms", "99 %, ms",
        "agent, µs/record", "gateway, µs/record", "records/s per core", "agent, MiB", "gateway, MiB",
    )  # fmt: skip
    notes = (
        "Requests of 2,000 log records of about 200 bytes from 100 jobs over 8 connections, over HTTP without TLS; "
        "agent, gateway, generator and backend share the machine's cores. A core is one of the tiers' own: records "
        f"by the processor time of both. Idle, the agent takes {idle:.0f} MiB. {disturbed(loads)}"
    )
    bars = [
        Bar("log records through both tiers", f"{WANTED:,}/s", f"{found:,.0f}/s", found >= WANTED * 0.99),
        Bar("the agent's memory when idle", f"{_IDLE_MEBIBYTES} MiB", f"{idle:.0f} MiB", idle <= _IDLE_MEBIBYTES),
    ]
    return Table("throughput", "Log records through both tiers", head, rows, notes, bars)


def through(load: Load, more_seconds: float = 0.0) -> float:
    """Return the records a second from the first that was sent to the last that arrived.

    What the last record waits for, however low the load is, does not count: a batch up to 0.4 s, and ``more_seconds``.
    """
    waited = _BATCHING_SECONDS + more_seconds
    return load.sent.records / (load.sent.seconds + max(0.0, load.backlog_seconds - waited))


def _row(offered: int, load: Load, *, kept: bool) -> tuple[str, ...]:
    records = load.sent.records
    return (
        f"{offered:,}",
        f"{through(load):,.0f}",
        "yes" if kept else "no",
        f"{load.delay(0.5) * 1e3:,.0f}",
        f"{load.delay(0.99) * 1e3:,.0f}",
        *(f"{seconds / records * 1e6:.1f}" for seconds in load.cpu_seconds.values()),
        f"{records / load.tiers_cpu_seconds:,.0f}",
        *(f"{mebibytes:.0f}" for mebibytes in load.peak_mebibytes.values()),
    )
