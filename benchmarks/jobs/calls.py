"""Jobs whose calls are measured one by one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from benchmarks.calls import DATA, METRICS
from benchmarks.jobs.common import MARK, go_on, synapse
from benchmarks.processes import memory_mebibytes

_BATCHES = 1_000


def beginning() -> dict[str, Any]:
    """Tell what the beginning of a job costs, in ms: the first, which loads and sets up, and a second one."""
    import synapse_otel

    synapse_otel.configure()
    taken = []
    for _ in range(2):
        begin = time.perf_counter()
        with synapse():
            taken.append((time.perf_counter() - begin) * 1e3)
    return {"first": taken[0], "second": taken[1]}


def growing(call: str, decades: list[int], settings: dict[str, Any]) -> dict[str, Any]:
    """Call so often, and tell for each decade the cost of a call and the memory of this process at its end."""
    with synapse(**settings) as ctx:
        calls: dict[str, Callable[[int], object]] = {
            "set_progress": lambda number: ctx.set_progress(number, decades[-1], "training"),
            "set_metrics": lambda _: ctx.set_metrics(METRICS, "training"),
            "log": lambda _: ctx.log(MARK, DATA),
        }
        one = calls[call]
        for _ in range(200):
            one(0)
        go_on()
        rows, done = [], 0
        for decade in decades:
            rows.append({"calls": decade, **_batches(one, done, decade), **memory_mebibytes()})
            done = decade
    return {"rows": rows}


def _batches(one: Callable[[int], object], done: int, until: int) -> dict[str, float]:
    """Return median and mean of a call's cost in us: the median of batches, so that a busy moment is no growth."""
    batch = max(100, (until - done) // _BATCHES)  # few, so that they take no memory of their own
    clock = time.perf_counter_ns
    taken = []
    for first in range(done, until, batch):
        begin = clock()
        for number in range(first, first + batch):
            one(number)
        taken.append(clock() - begin)
    taken.sort()
    return {"median": taken[len(taken) // 2] / batch / 1e3, "mean": sum(taken) / len(taken) / batch / 1e3}


def layers() -> dict[str, Any]:
    """Tell what each layer of a call costs."""
    from benchmarks.layers import measured

    with synapse() as ctx:
        return {"groups": measured(ctx)}
