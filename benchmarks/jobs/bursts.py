"""Jobs that log as fast as they can, or end with something left to deliver."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from benchmarks.calls import DATA
from benchmarks.jobs.common import MARK, PATIENCE_SECONDS, go_on, own_cpu, records, stock, synapse


def burst(calls: int) -> dict[str, Any]:
    """Log in a tight loop and measure each call; then see that all arrives."""
    with synapse(exit_timeout=PATIENCE_SECONDS) as ctx:
        ctx.log(MARK, DATA)
        found = _timed(ctx.log, calls)
    return {**found}


def stock_burst(calls: int) -> dict[str, Any]:
    """Do the same with the plain SDK."""
    with stock() as (mapping, _):
        mapping.log(MARK, DATA)
        return _timed(mapping.log, calls)


def _timed(log: Callable[[str, dict[str, Any]], None], calls: int) -> dict[str, Any]:
    waits = [0] * calls
    clock = time.perf_counter_ns
    for number, data in enumerate(records(calls)):
        before = clock()
        log(MARK, data)
        waits[number] = clock() - before
    waits.sort()
    return {
        "call_us": sum(waits) / calls / 1e3,
        "longest_ms": waits[-1] / 1e6,
        "p9999_ms": waits[int(calls * 0.9999)] / 1e6,
    }


def empty(seconds: float) -> dict[str, Any]:
    """Do nothing but look at the clock: how long the machine itself holds up a process meanwhile."""
    clock = time.perf_counter_ns
    before = clock()
    until = before + int(seconds * 1e9)
    longest = 0
    while before < until:
        now = clock()
        longest = max(longest, now - before)
        before = now
    return {"longest_ms": longest / 1e6}


def delivered(calls: int) -> dict[str, Any]:
    """Log, and tell the processor time of this process until everything is delivered."""
    with synapse(exit_timeout=PATIENCE_SECONDS) as ctx:
        ctx.log(MARK, DATA)
        go_on()
        begin = own_cpu()
        for data in records(calls):
            ctx.log(MARK, data)
        ctx.job.flush()
        used = own_cpu() - begin
    return {"cpu": used}


def stock_delivered(calls: int) -> dict[str, Any]:
    """Do the same with the plain SDK, in bursts that its queue can take, so that nothing is lost."""
    with stock() as (mapping, flush):
        mapping.log(MARK, DATA)
        flush()
        begin = own_cpu()
        for number, data in enumerate(records(calls), start=1):
            mapping.log(MARK, data)
            if number % 500 == 0:
                flush()
        flush()
        return {"cpu": own_cpu() - begin}


def leaving(records: int, contender: str) -> dict[str, Any]:
    """Record something and end: tells the monotonic time at which the work was done."""
    if contender == "plain SDK":
        with stock() as (mapping, _):
            for _ in range(records):
                mapping.log(MARK, DATA)
            done = time.monotonic()
        return {"done": done}
    with synapse() as ctx:
        for _ in range(records):
            ctx.log(MARK, DATA)
        done = time.monotonic()
    return {"done": done}
