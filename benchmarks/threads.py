"""Many threads and many asyncio tasks in one job: how fast, and whether each record is there, once, in order."""

from __future__ import annotations

from benchmarks.processes import place
from benchmarks.report import Bar, Table

CALLS = 320_000
MANY = 16


def threads() -> Table:
    """Return the table of threads and tasks."""
    rows, bars = [], []
    alone = 0.0
    for job, count in (("threads", 1), ("threads", MANY), ("tasks", MANY), ("tasks", 1_000)):
        with place("http://127.0.0.1:9") as here:
            found = here.run(job, count=count, calls=CALLS // count)
        rate = CALLS / found["seconds"]
        alone = alone or rate
        what = f"{count:,} {job if count > 1 else job.rstrip('s')}{' of asyncio' if job == 'tasks' else ''}"
        whole = found["records"] == found["numbers"] == CALLS and found["in_order"]
        rows.append((what, f"{rate:,.0f}", f"{rate / alone:.2f}", f"{found['records']:,}", "yes" if whole else "no"))
        bars.append(Bar(f"{what}: every record, once, in order", "yes", "yes" if whole else "no", whole))
    head = ("who", "records a second", "of one thread's", "in the journal", "each once, in its thread's order")
    return Table("threads", f"{CALLS:,} log calls by many", head, rows, "", bars)
