"""A job that logs flat out: what it waits, and what is lost."""

from __future__ import annotations

from statistics import median
from typing import Any

from benchmarks.far_side import far_side
from benchmarks.jobs.common import MARK
from benchmarks.processes import place
from benchmarks.report import Bar, Table

CALLS = 300_000
RUNS = 3
BARS = {"process": 3.0, "thread": 10.0}
"""The longest that a call may take, in ms, by where the shipper runs."""


def bursts() -> Table:
    """Return the table of bursts: by the shipper as a process, as a thread, with none, and with the plain SDK."""
    rows, bars = [], []
    for shipper in ("process", "thread", "off"):
        found = [_burst("burst", shipper) for _ in range(RUNS)]
        lost = [CALLS + 1 - one["arrived"] for one in found]
        rows.append(_row(f"synapse-otel, shipper: {shipper}", found, "" if shipper == "off" else f"{max(lost):,}"))
        if shipper in BARS:
            bars += _bars(shipper, [one["longest_ms"] for one in found], lost)
    found = [_burst("stock_burst", "off") for _ in range(RUNS)]
    rows.append(_row("plain SDK", found, f"{max(CALLS + 1 - one['arrived'] for one in found):,}"))
    with place("http://127.0.0.1:9") as here:
        pauses = [here.run("empty", seconds=1)["longest_ms"] for _ in range(RUNS)]
    rows.append(("a loop that looks at the clock", "", "", f"{median(pauses):.1f}", f"{max(pauses):.1f}", ""))
    head = ("who", "a call, µs", "99.99 %, ms", "longest wait, ms", "worst run, ms", "lost")
    notes = (
        f"{CALLS:,} `log` calls in a tight loop against a server that accepts everything and gives way to "
        f"others, {RUNS} runs; the longest "
        "wait of a run is that of its slowest call, its median and its worst run are shown. The last row is what the "
        "machine holds up a process that does nothing. Lost is counted at the server, in the worst run."
    )
    return Table("burst", f"{CALLS:,} log calls flat out", head, rows, notes, bars)


def _burst(job: str, shipper: str) -> dict[str, Any]:
    with (
        far_side(mark=MARK, nice=10) as far,
        place(f"http://127.0.0.1:{far.port}", SYNAPSE_OTEL_SHIPPER=shipper) as here,
    ):
        found = here.run(job, calls=CALLS)
        return {**found, "arrived": far.counts()["marks"]}


def _row(who: str, found: list[dict[str, Any]], lost: str) -> tuple[str, ...]:
    longest = [one["longest_ms"] for one in found]
    return (
        who,
        f"{median(one['call_us'] for one in found):.2f}",
        f"{median(one['p9999_ms'] for one in found):.2f}",
        f"{median(longest):.1f}",
        f"{max(longest):.1f}",
        lost,
    )


def _bars(shipper: str, longest: list[float], lost: list[int]) -> list[Bar]:
    what = f"burst, shipper: {shipper}"
    return [
        Bar(
            f"{what}, longest wait",
            f"{BARS[shipper]:.0f} ms",
            f"{median(longest):.1f} ms",
            median(longest) <= BARS[shipper],
        ),
        Bar(f"{what}, lost", "0", f"{max(lost):,}", lost == [0] * RUNS),
    ]
