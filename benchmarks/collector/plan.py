"""What a million jobs need, computed from what ten thousand cost."""

from __future__ import annotations

from benchmarks.report import Table

JOBS = (1_000, 10_000, 100_000, 1_000_000)
_JOBS_A_NODE = 100
_CORES_A_GATEWAY = 4
_SHARE = 0.6
"""Of a gateway's cores that are planned to be busy."""
_MEBIBYTE = 1 << 20


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
