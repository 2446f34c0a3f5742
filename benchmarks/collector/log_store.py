"""With the real log store behind the gateway: log records a second from the job's request until a query finds them."""

from __future__ import annotations

from benchmarks.collector.running import TIERS, Load, disturbed, running
from benchmarks.collector.throughput import BACKLOG_SECONDS, through
from benchmarks.report import Bar, Table

WANTED = 40_000
_RATES = (15, 20, 25, 30, 35, 40)
"""Requests a second, each of 2,000 records."""
_SECONDS = 6.0
_UNSEEN_SECONDS = 1.0
"""After how long VictoriaLogs shows a query what it has taken: of one record alone 1.00 to 1.01 s, in 25 tries."""
_PARTS = (*TIERS, "victorialogs")
"""In the order of the columns."""


def log_store() -> Table:
    """Offer more and more until the log store falls behind; return the table."""
    rows: list[tuple[str, ...]] = []
    loads: list[Load] = []
    with running(log_store=True) as tiers:
        for rate in _RATES:
            load = tiers.load("bulk", jobs=100, seconds=_SECONDS, connections=8, rate=rate)
            kept = load.backlog_seconds < BACKLOG_SECONDS + _UNSEEN_SECONDS
            loads.append(load)
            rows.append(
                (
                    f"{rate * 2000:,}",
                    f"{through(load, _UNSEEN_SECONDS):,.0f}",
                    "yes" if kept else "no",
                    *(f"{load.cpu_seconds[part] / load.sent.records * 1e6:.1f}" for part in _PARTS),
                    *(f"{load.peak_mebibytes[part]:.0f}" for part in _PARTS),
                )
            )
            if not kept:
                break
    found = max(through(load, _UNSEEN_SECONDS) for load in loads)
    head = (
        "offered, records/s", "found by a query", "keeps up", "agent, µs/record", "gateway, µs/record",
        "log store, µs/record", "agent, MiB", "gateway, MiB", "log store, MiB",
    )  # fmt: skip
    notes = (
        "The load of the first table, with VictoriaLogs behind the gateway, as `make stack` runs it. A record has "
        "arrived when a query counts it, a second after the log store has taken it. Agent, gateway, log store and "
        f"generator share the machine's cores. {disturbed(loads)}"
    )
    bars = [Bar("log records into the log store", f"{WANTED:,}/s", f"{found:,.0f}/s", found >= WANTED * 0.99)]
    return Table("log-store", "Log records into the log store", head, rows, notes, bars)
