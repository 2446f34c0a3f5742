"""Small requests a second of 10,000 jobs, with the agent's own queue and without."""

from __future__ import annotations

from benchmarks.collector.running import Load, disturbed, running
from benchmarks.report import Bar, Table

JOBS = 10_000
WANTED = 10_000
_SECONDS = 6.0
_CASES = (
    ("one log record, `disk`", "small", "disk", 100),
    ("one log record, `through`", "small", "through", 500),
    ("a mix, `disk`", "mix", "disk", 100),
    ("a mix, `through`", "mix", "through", 500),
)
"""What is sent, kind, COLLECTOR_AGENT_QUEUE, connections."""


def requests() -> Table:
    """Send as fast as is answered; return the table."""
    rows, loads = [], []
    for title, kind, queue, connections in _CASES:
        with running(COLLECTOR_AGENT_QUEUE=queue) as tiers:
            load = tiers.load(kind, jobs=JOBS, seconds=_SECONDS, connections=connections)
        loads.append(load)
        rows.append(_row(title, connections, load))
    head = (
        "a request, `COLLECTOR_AGENT_QUEUE`", "connections", "requests/s", "records/s", "answered after, median ms",
        "arrives after, median ms", "agent, µs/request", "gateway, µs/request", "generator and backend, µs/request",
        "cores busy", "agent, MiB", "gateway, MiB",
    )  # fmt: skip
    notes = (
        f"{JOBS:,} jobs, each with a resource of its own, send as fast as they are answered. With `disk` each request "
        "is three synced writes of the agent, one after the other, and these are the limit; with `through` the "
        "requests of all connections are written down together by the gateway, and the processors are the limit. A "
        f"mix is three requests for three log records, six for nine points, and one for two spans. {disturbed(loads)}"
    )
    best = max(load.requests_a_second for load in loads)
    bars = [Bar(f"small requests of {JOBS:,} jobs", f"{WANTED:,}/s", f"{best:,.0f}/s", best >= WANTED)]
    return Table("requests", "Small requests", head, rows, notes, bars)


def _row(title: str, connections: int, load: Load) -> tuple[str, ...]:
    sent = load.sent
    others = sent.cpu_seconds + load.sink_cpu_seconds
    return (
        title,
        f"{connections}",
        f"{load.requests_a_second:,.0f}",
        f"{load.records_a_second:,.0f}",
        f"{sent.answer_ms:.0f}",
        f"{load.delay(0.5) * 1e3:,.0f}",
        *(f"{seconds / sent.requests * 1e6:.0f}" for seconds in load.cpu_seconds.values()),
        f"{others / sent.requests * 1e6:.0f}",
        f"{(load.tiers_cpu_seconds + others) / (sent.seconds + load.backlog_seconds):.1f}",
        *(f"{mebibytes:.0f}" for mebibytes in load.peak_mebibytes.values()),
    )
