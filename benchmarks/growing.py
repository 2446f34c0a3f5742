"""Whether the ten-millionth call costs what the thousandth did, and takes no more memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benchmarks.far_side import far_side
from benchmarks.processes import place, result
from benchmarks.report import Bar, Table

DECADES = {"set_progress": 7, "log": 6, "set_metrics": 6}
"""By call, the power of ten of the last call."""
MOST_GROWTH = 0.10
MOST_MEBIBYTES = 1.0


def growing() -> Table:
    """Return the table of growth: by call, with nobody shipping and with a shipper at work."""
    rows, bars = [], []
    powers = range(3, max(DECADES.values()) + 1)
    for call, last in DECADES.items():
        for shipper in ("off", "process"):
            found = _grown(call, [10**power for power in range(3, last + 1)], shipper)
            what = f"`{call}`, {'nobody ships' if shipper == 'off' else 'shipped meanwhile'}"
            rows.append((f"{what}: µs", *_cells(found, "median", powers)))
            rows.append(("... mean with new segments, µs", *_cells(found, "mean", powers)))
            rows.append(("... memory of its own, MiB", *_cells(found, "RssAnon", powers, ".1f")))
            bars += _bars(what, found, judged=shipper == "off" or call == "set_progress")
    head = ("call", *(f"10^{power}" for power in powers))
    notes = (
        "Median and mean of the calls from one column to the next, by at most 1,000 "
        "batches; the memory is what the process "
        "has that is no mapped file. While records are shipped the shipper works on the second core, which on this "
        "machine may be the other half of the same one: those rows are shown and not judged."
    )
    return Table("growth", "From the thousandth call to the ten-millionth", head, rows, notes, bars)


def _grown(call: str, decades: list[int], shipper: str) -> list[dict[str, Any]]:
    with far_side() as far, place(f"http://127.0.0.1:{far.port}", SYNAPSE_OTEL_SHIPPER=shipper) as here:
        job = here.start("growing", call=call, decades=decades, settings={})
        if shipper == "process":
            here.wait_for_shipper()
        return list(result(job, call)["rows"])


def _cells(found: list[dict[str, Any]], what: str, powers: Iterable[int], form: str = ".2f") -> list[str]:
    by_calls = {row["calls"]: row[what] for row in found}
    return [f"{by_calls[10**power]:{form}}" if 10**power in by_calls else "" for power in powers]


def _bars(what: str, found: list[dict[str, Any]], *, judged: bool) -> list[Bar]:
    costs = [row["median"] for row in found]
    growth = max(costs) / costs[0] - 1
    memory = max(row["RssAnon"] for row in found) - found[0]["RssAnon"]
    grown = Bar(f"growth of {what}", f"{MOST_GROWTH:.0%}", f"{growth:.0%}", growth <= MOST_GROWTH)
    flat = Bar(f"memory of {what}", f"{MOST_MEBIBYTES:.0f} MiB", f"{memory:.1f} MiB", memory <= MOST_MEBIBYTES)
    return [grown, flat] if judged else [flat]
