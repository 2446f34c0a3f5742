"""Memory in an hour without a collector."""

from __future__ import annotations

from benchmarks.ending import refused
from benchmarks.processes import Watch, place, proceed, result, until_ready
from benchmarks.report import Bar, Table

SECONDS = 3600
RATE = 1_000
TIMES_FASTER = 60.0
MOST_MEBIBYTES = 20.0
BUDGET_MEBIBYTES = 512


def outage() -> Table:
    """Return the table of an outage."""
    with refused() as where, place(**where) as here:
        shipper = here.start_shipper(times_faster=TIMES_FASTER)
        job = here.start("outage", seconds=SECONDS, rate=RATE, times_faster=TIMES_FASTER)
        until_ready(job)
        with Watch(shipper, here.root) as seen:
            proceed(job)
            found = result(job, "outage")
    of_job = found["after"]["VmRSS"] - found["before"]["VmRSS"]
    of_shipper = seen.memory - seen.begin
    rows = [
        ("records", f"{found['records']:,}"),
        ("time, on the clock of the processes", f"{found['seconds'] / 60:.0f} min"),
        ("the job's process: at the start, at the end", _both(found["before"]["VmRSS"], found["after"]["VmRSS"])),
        ("the shipper's: at the start, at the most", _both(seen.begin, seen.memory)),
        ("disk, at the most", f"{seen.disk:.0f} MiB"),
        ("the account at the end", "delivered " + found["said"].partition(" · delivered ")[2].partition(" · kept")[0]),
    ]
    together = of_job + of_shipper
    bars = [
        Bar(
            "memory in an outage of an hour",
            f"{MOST_MEBIBYTES:.0f} MiB",
            f"{together:.1f} MiB",
            together <= MOST_MEBIBYTES,
        ),
        Bar(
            "disk in an outage of an hour",
            f"{BUDGET_MEBIBYTES} MiB",
            f"{seen.disk:.0f} MiB",
            seen.disk <= BUDGET_MEBIBYTES,
        ),
    ]
    notes = (
        f"{RATE:,} records a second, samples among them, while connections are refused. The clocks of both processes "
        f"go {TIMES_FASTER:.0f} times faster; the records are as many as in an hour, and the shipper tries as often."
    )
    return Table("outage", "An hour without a collector", ("what", "measured"), rows, notes, bars)


def _both(first: float, second: float) -> str:
    return f"{first:.1f}, {second:.1f} MiB"
