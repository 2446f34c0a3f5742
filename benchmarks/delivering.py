"""The processor time of a delivered log record: all threads of all processes, from the call to the answer."""

from __future__ import annotations

import time

from benchmarks.far_side import far_side
from benchmarks.jobs.common import MARK
from benchmarks.processes import cpu_seconds, place, result
from benchmarks.report import Bar, Table
from benchmarks.unmeasured import Unmeasured

CALLS = 200_000
STOCK_CALLS = 30_000
RATIO = 25.0
_SETTLE_SECONDS = 1.0


def delivering() -> Table:
    """Return the table of processor times."""
    process = in_processes("process", CALLS)
    thread = in_processes("thread", CALLS)
    python = in_processes("process", CALLS, SYNAPSE_OTEL_NATIVE="off")
    stock = _stock(STOCK_CALLS)
    ratio = stock / sum(process)
    rows = [
        ("plain SDK, OTLP over HTTP", f"{stock:.1f}", "", f"{stock:.1f}", "1.0"),
        _row("synapse-otel", process, stock),
        _row("synapse-otel, in Python", python, stock),
        ("synapse-otel, shipper: thread", f"{sum(thread):.1f}", "", f"{sum(thread):.1f}", f"{stock / sum(thread):.1f}"),
    ]
    head = ("who", "the job's process, µs", "the shipper's, µs", "together, µs", "times cheaper")
    notes = (
        f"User and system time of {CALLS:,} log records, from the first call until the server, a process of its own "
        f"that is not counted, has accepted all of them; of {STOCK_CALLS:,} for the plain SDK, which is waited for "
        "every 500 records, as it loses them otherwise."
    )
    bar = Bar(
        "processor time of a delivered log record",
        f"{RATIO} times cheaper",
        f"{ratio:.1f} times cheaper",
        ratio >= RATIO,
    )
    return Table("delivered", "Processor time of a delivered log record", head, rows, notes, [bar])


def _row(who: str, parts: tuple[float, float], stock: float) -> tuple[str, ...]:
    return who, *(f"{part:.1f}" for part in parts), f"{sum(parts):.1f}", f"{stock / sum(parts):.1f}"


def in_processes(shipper: str, calls: int, **settings: str) -> tuple[float, float]:
    """Return microseconds a record in the job's process and in the shipper's, under further settings."""
    with (
        far_side(mark=MARK) as far,
        place(f"http://127.0.0.1:{far.port}", SYNAPSE_OTEL_SHIPPER=shipper, **settings) as here,
    ):
        job = here.start("delivered", calls=calls)
        before, pid = 0.0, None
        if shipper == "process":
            pid = here.wait_for_shipper()
            time.sleep(_SETTLE_SECONDS)
            before = cpu_seconds(pid)
        found = result(job, "delivered")
        used = cpu_seconds(pid) - before if pid else 0.0
        _all_arrived(far.counts()["marks"], calls + 1)
    return found["cpu"] / calls * 1e6, used / calls * 1e6


def _stock(calls: int) -> float:
    with far_side(mark=MARK) as far, place(f"http://127.0.0.1:{far.port}") as here:
        found = here.run("stock_delivered", calls=calls)
        _all_arrived(far.counts()["marks"], calls + 1)
    return float(found["cpu"]) / calls * 1e6


def _all_arrived(arrived: int, wanted: int) -> None:
    if arrived != wanted:
        raise Unmeasured(f"{arrived:,} of {wanted:,} records arrived: that is no delivery to measure")
