"""What a million jobs need, computed from what ten thousand cost, without Kafka between the tiers and with it."""

from __future__ import annotations

from benchmarks.report import Table

JOBS = (1_000, 10_000, 100_000, 1_000_000)
_JOBS_A_NODE = 100
_CORES_A_GATEWAY = 4
_SHARE = 0.6
"""Of a gateway's cores that are planned to be busy."""
_MEBIBYTE = 1 << 20
_REPLICAS = 3
_PARTITIONS_A_GATEWAY = 2


def plan(growth: Table) -> Table:
    """Return the table: every job sends one request of the mix each second."""
    last = dict(zip(growth.head, growth.rows[-1], strict=False))
    if "gateway, µs/request" not in last:
        return Table("plan", "To a million jobs: not measured", ("why",), [("growth was not measured",)])
    agent, gateway, size = (
        float(last[name].replace(",", "")) for name in ("agent, µs/request", "gateway, µs/request", "bytes/request")
    )
    a_gateway = _CORES_A_GATEWAY * _SHARE / gateway * 1e6
    rows = [
        (
            f"{jobs:,}",
            f"{-(-jobs // _JOBS_A_NODE):,}",
            f"{min(jobs, _JOBS_A_NODE) * agent / 1e6:.3f}",
            f"{jobs * gateway / 1e6:,.1f}",
            f"{max(1, -(-jobs // int(a_gateway))):,}",
            f"{jobs * size / _MEBIBYTE:,.0f}",
            f"{jobs * size * 600 / _MEBIBYTE / 1024:,.0f}",
        )
        for jobs in JOBS
    ]
    head = (
        "jobs", f"nodes of {_JOBS_A_NODE} jobs", "cores of an agent", "cores of all gateways",
        f"gateways of {_CORES_A_GATEWAY} cores", "MiB/s into the backends", "GiB of queues for 10 min",
    )  # fmt: skip
    notes = (
        f"Every job sends one request of the mix each second. An agent's request costs {agent:.0f} µs, a gateway's "
        f"{gateway:.0f} µs ({size:,.0f} bytes), as measured with 10,000 jobs; a gateway is planned to be "
        f"{_SHARE:.0%} busy."
    )
    return Table("plan", "To a million jobs", head, rows, notes)


def kafka_plan(requests: Table) -> Table:
    """Return the same table with Kafka between the tiers, from what small requests through it cost."""
    name = "kafka-plan"
    steady, full = (dict(zip(requests.head, row, strict=False)) for row in (requests.rows[0], requests.rows[-1]))
    if "broker, µs/request" not in steady:
        return Table(name, "To a million jobs, with Kafka: not measured", ("why",), [("requests were not measured",)])
    agent, broker, gateway, size = (
        _number(steady[column])
        for column in ("agent, µs/request", "broker, µs/request", "gateway, µs/request", "bytes/request")
    )
    through = _number(full["through both tiers, requests/s"])
    a_gateway = min(_CORES_A_GATEWAY / gateway * 1e6, through) * _SHARE
    rows = []
    for jobs in JOBS:
        gateways = max(1, -(-jobs // int(a_gateway)))
        into = jobs * size * _REPLICAS
        rows.append(
            (
                f"{jobs:,}",
                f"{min(jobs, _JOBS_A_NODE) * agent / 1e6:.3f}",
                f"{jobs * broker * _REPLICAS / 1e6:,.1f}",
                f"{into / _MEBIBYTE:,.0f}",
                f"{into * 3600 / _MEBIBYTE / 1024:,.0f}",
                f"{jobs * gateway / 1e6:,.1f}",
                f"{gateways:,}",
                f"{gateways * _PARTITIONS_A_GATEWAY:,}",
            )
        )
    head = (
        "jobs", "cores of an agent", "cores of all brokers", "MiB/s to the brokers' disks", "GiB there for an hour",
        "cores of all gateways", "gateways", "partitions of each topic",
    )  # fmt: skip
    notes = (
        f"Every job sends one request of the mix each second, which is one message of {size:,.0f} bytes, kept by "
        f"{_REPLICAS} brokers; each replica is planned to cost a broker what the only one costs here, {broker:.0f} µs "
        f"a message. A gateway took {through:,.0f} messages a second from Kafka to its disk, and is planned to be "
        f"{_SHARE:.0%} busy; each has {_PARTITIONS_A_GATEWAY} partitions of each topic."
    )
    return Table(name, "To a million jobs, with Kafka between the tiers", head, rows, notes)


def _number(text: str) -> float:
    return float(text.replace(",", ""))
