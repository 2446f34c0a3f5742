"""How fast a journal that a killed job has left is delivered, and what it takes."""

from __future__ import annotations

import json
import time

from benchmarks.far_side import far_side
from benchmarks.jobs.common import MARK
from benchmarks.processes import Place, cpu_seconds, memory_mebibytes, place
from benchmarks.report import Bar, Table

MEBIBYTES = 512
LEAST_A_SECOND = 250_000
MOST_MEBIBYTES = 40.0


def recovering() -> Table:
    """Return the table of a recovery."""
    with far_side(mark=MARK) as far, place(f"http://127.0.0.1:{far.port}") as here:
        left = _fill(here)
        begin = time.monotonic()
        shipper = here.start_shipper()
        used, peak = 0.0, 0.0
        while (arrived := far.counts()["marks"]) < left["records"]:
            used, peak = cpu_seconds(shipper), memory_mebibytes(shipper)["VmHWM"]
            time.sleep(0.02)
        seconds = time.monotonic() - begin
        sent = far.counts()["bytes"]
    rate = arrived / seconds
    rows = [
        ("journal", f"{left['mebibytes']:.0f} MiB"),
        ("log records in it", f"{left['records']:,}"),
        ("until all had arrived", f"{seconds:.1f} s"),
        ("records a second", f"{rate:,.0f}"),
        ("OTLP sent", f"{sent / (1 << 20):,.0f} MiB"),
        ("processor time a record, the shipper's", f"{used / arrived * 1e6:.1f} µs"),
        ("memory of the shipper at its largest", f"{peak:.0f} MiB"),
        ("lost", f"{left['records'] - arrived:,}"),
    ]
    bars = [
        Bar(
            f"recovery of {MEBIBYTES} MiB",
            f"{LEAST_A_SECOND:,} records/s",
            f"{rate:,.0f} records/s",
            rate >= LEAST_A_SECOND,
        ),
        Bar("memory of the shipper meanwhile", f"{MOST_MEBIBYTES:.0f} MiB", f"{peak:.0f} MiB", peak <= MOST_MEBIBYTES),
    ]
    notes = (
        "A job that was killed has left the journal; the shipper's process is started, and its start is part of the "
        "time. The server only reads and answers: it is a process of its own on the same cores."
    )
    return Table("recover", "A journal that a killed job has left", ("what", "measured"), rows, notes, bars)


def _fill(here: Place) -> dict[str, float]:
    job = here.start("filling", mebibytes=MEBIBYTES)
    out, _ = job.communicate()
    return json.loads(out.splitlines()[-1])  # type: ignore[no-any-return]
