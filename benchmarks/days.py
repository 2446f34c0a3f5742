"""A job of a day, gone through in minutes: memory, cost and disk stay what they were."""

from __future__ import annotations

from statistics import median

from benchmarks.far_side import far_side
from benchmarks.jobs.common import MARK
from benchmarks.processes import Watch, memory_mebibytes, place, proceed, result, until_ready
from benchmarks.report import Bar, Table

ROUNDS = 1_000
TICKS, SAMPLES, MESSAGES = 100_000, 1_000, 100
"""In each round: 10^8, 10^6 and 10^5 together. Samples come three a call, so they are a few less."""
TIMES_FASTER = 500.0
BUDGET_MEBIBYTES = 512
MOST_MEBIBYTES = 20.0
MOST_GROWTH = 0.10


def day() -> Table:
    """Return the table of a day."""
    settings = {"rounds": ROUNDS, "ticks": TICKS, "samples": SAMPLES, "messages": MESSAGES}
    with far_side(mark=MARK) as far, place(f"http://127.0.0.1:{far.port}") as here:
        shipper = here.start_shipper(times_faster=TIMES_FASTER)
        job = here.start("day", **settings, times_faster=TIMES_FASTER)
        until_ready(job)
        with Watch(shipper, here.root) as seen:
            proceed(job)
            found = result(job, "day")
        end = memory_mebibytes(shipper)["VmRSS"]
        arrived = far.counts()["marks"]
    tenth = ROUNDS // 10
    first, last = median(found["costs"][:tenth]), median(found["costs"][-tenth:])
    memory = found["memory"]
    grown = max(memory[-1] - memory[tenth], end - seen.begin)
    rows = [
        ("`set_progress` calls", f"{ROUNDS * TICKS:,}"),
        ("log records, arrived", f"{ROUNDS * MESSAGES:,}, {arrived:,}"),
        ("samples", f"{ROUNDS * (SAMPLES // 3) * 3:,}"),
        ("time, on the clock of the processes", f"{found['hours']:.1f} h"),
        ("a tick in the first tenth, in the last", f"{first:.2f}, {last:.2f} µs"),
        ("the job's own memory: at first, after a tenth, at the end", _row(memory[0], memory[tenth], memory[-1])),
        ("the shipper's: at first, at the most, at the end", _row(seen.begin, seen.memory, end)),
        ("disk, at the most", f"{seen.disk:.0f} MiB of {BUDGET_MEBIBYTES} MiB"),
        ("the account at the end", "delivered " + found["said"].partition(" · delivered ")[2]),
    ]
    bars = [
        Bar("day: every message arrives", "all", f"{arrived:,}", arrived == ROUNDS * MESSAGES),
        Bar("day: cost of a tick", f"{MOST_GROWTH:.0%}", f"{last / first - 1:+.0%}", last / first - 1 <= MOST_GROWTH),
        Bar("day: memory", f"{MOST_MEBIBYTES:.0f} MiB", f"{grown:.1f} MiB", grown <= MOST_MEBIBYTES),
        Bar("day: disk", f"{BUDGET_MEBIBYTES} MiB", f"{seen.disk:.0f} MiB", seen.disk <= BUDGET_MEBIBYTES),
    ]
    notes = f"The clocks of both processes go {TIMES_FASTER:.0f} times faster."
    return Table("day", "A job of a day", ("what", "measured"), rows, notes, bars)


def _row(*values: float) -> str:
    return ", ".join(f"{value:.1f}" for value in values) + " MiB"
