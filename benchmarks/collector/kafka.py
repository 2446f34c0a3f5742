"""With Kafka between the tiers: log records a second from the job's request to the backend, and small requests."""

from __future__ import annotations

from benchmarks.collector.growth import RATE
from benchmarks.collector.running import KAFKA_PARTITIONS, Load, disturbed, running
from benchmarks.collector.throughput import BACKLOG_SECONDS, through
from benchmarks.report import Bar, Table

WANTED = 30_000
_RATES = (15, 20, 25, 30, 35, 40)
"""Requests a second, each of 2,000 records."""
_SECONDS = 6.0
JOBS = 10_000
_CONNECTIONS = 500
_WARM_SECONDS = 10.0
"""Before anything is measured: the broker compiles what it runs."""
PARTS = ("agent", "kafka", "gateway")
"""In the order of the columns."""


def kafka() -> Table:
    """Offer more and more until the gateway falls behind; return the table."""
    rows: list[tuple[str, ...]] = []
    loads: list[Load] = []
    with running(kafka=True) as tiers:
        tiers.load("bulk", jobs=100, seconds=_WARM_SECONDS, connections=8, rate=_RATES[0])
        for rate in _RATES:
            load = tiers.load("bulk", jobs=100, seconds=_SECONDS, connections=8, rate=rate)
            kept = load.backlog_seconds < BACKLOG_SECONDS
            loads.append(load)
            rows.append((f"{rate * 2000:,}", f"{through(load):,.0f}", "yes" if kept else "no", *_costs(load)))
            if not kept:
                break
    found = max(map(through, loads))
    head = (
        "offered, records/s", "through both tiers", "keeps up", "arrives after, median ms", "99 %, ms",
        "agent, µs/record", "broker, µs/record", "gateway, µs/record", "agent, MiB", "broker, MiB", "gateway, MiB",
    )  # fmt: skip
    notes = (
        "The load of the first table, with one broker between the tiers: topics of "
        f"{KAFKA_PARTITIONS} partitions and one replica, messages compressed with zstd. Agent, broker, gateway, "
        f"generator and backend share the machine's cores. {disturbed(loads)}"
    )
    bars = [Bar("log records through both tiers and Kafka", f"{WANTED:,}/s", f"{found:,.0f}/s", found >= WANTED * 0.99)]
    return Table("kafka", "Log records through both tiers and Kafka", head, rows, notes, bars)


def _costs(load: Load) -> tuple[str, ...]:
    return (
        f"{load.delay(0.5) * 1e3:,.0f}",
        f"{load.delay(0.99) * 1e3:,.0f}",
        *(f"{load.cpu_seconds[part] / load.sent.records * 1e6:.1f}" for part in PARTS),
        *(f"{load.peak_mebibytes[part]:.0f}" for part in PARTS),
    )


def kafka_requests() -> Table:
    """Send the mix of 10,000 jobs at the plan's rate, and as fast as is answered; return the table."""
    with running(kafka=True) as tiers:
        tiers.load("mix", jobs=JOBS, seconds=_WARM_SECONDS, connections=_CONNECTIONS)
        loads = [
            tiers.load("mix", jobs=JOBS, seconds=_SECONDS, connections=_CONNECTIONS, rate=rate) for rate in (RATE, 0)
        ]
    rows = []
    for rate, load in zip((RATE, 0), loads, strict=True):
        sent = load.sent
        rows.append(
            (
                f"{rate:,}" if rate else "as fast as answered",
                f"{load.requests_a_second:,.0f}",
                f"{sent.requests / (sent.seconds + load.backlog_seconds):,.0f}",
                f"{sent.bytes / sent.requests:,.0f}",
                f"{sent.answer_ms:.0f}",
                f"{load.delay(0.5) * 1e3:,.0f}",
                *(f"{load.cpu_seconds[part] / sent.requests * 1e6:.0f}" for part in PARTS),
                *(f"{load.peak_mebibytes[part]:.0f}" for part in PARTS),
            )
        )
    head = (
        "offered, requests/s", "accepted, requests/s", "through both tiers, requests/s", "bytes/request",
        "answered after, median ms", "arrives after, median ms", "agent, µs/request", "broker, µs/request",
        "gateway, µs/request", "agent, MiB", "broker, MiB", "gateway, MiB",
    )  # fmt: skip
    notes = (
        f"The mix of {JOBS:,} jobs over {_CONNECTIONS} connections. Each request is a message of its own, and the "
        f"gateway writes each down with three syncs before it commits its offset. {disturbed(loads)}"
    )
    return Table("kafka-requests", "Small requests through Kafka", head, rows, notes)
