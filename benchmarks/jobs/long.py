"""Jobs that fill a journal, live through an outage, or run for a day."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.calls import DATA, METRICS
from benchmarks.clock import hasten
from benchmarks.jobs.common import MARK, PATIENCE_SECONDS, go_on, records, synapse
from benchmarks.processes import memory_mebibytes


def filling(mebibytes: int) -> dict[str, Any]:
    """Fill a journal that nobody delivers, and be killed: tells the records in it before."""
    with synapse(shipper="off", journal_budget=(mebibytes + 64) << 20) as ctx:
        for number, data in enumerate(records(mebibytes << 20)):
            ctx.log(MARK, data)
            if number % 10_000 == 0 and _written_mebibytes() >= mebibytes:
                break
        print(json.dumps({"records": number + 1, "mebibytes": _written_mebibytes()}), flush=True)
        os._exit(0)


def _written_mebibytes() -> float:
    from synapse_otel.journal.folder import folder_size, run_folders

    root = Path(os.environ["SYNAPSE_OTEL_JOURNAL_DIR"])
    return sum(folder_size(folder) for folder in run_folders(root)) / (1 << 20)


def configuration() -> dict[str, Any]:
    """Tell with what configuration a job would start its shipper."""
    import msgspec

    from synapse_otel.runtime.process import ProcessRuntime
    from synapse_otel.settings import load_settings

    settings = load_settings()
    given = msgspec.structs.replace(ProcessRuntime(settings).configuration(settings.journal_dir), idle_seconds=3600.0)
    return {"configuration": msgspec.json.encode(given).decode()}


def outage(seconds: int, rate: int, times_faster: float) -> dict[str, Any]:
    """Record at a rate, on a clock that goes faster; tells the memory of this process at the start and at the end."""
    hasten(times_faster)
    with synapse() as ctx:
        second = _recorder(ctx, rate)
        second(0)
        go_on()
        before = memory_mebibytes()
        begin = time.monotonic()
        for number in range(1, seconds + 1):
            second(number)
            _pace(begin + number, times_faster)
        after = memory_mebibytes()
        lasted = time.monotonic() - begin
    return {"before": before, "after": after, "seconds": lasted, "records": seconds * rate}


def kept(samples: int = 0, messages: int = 0) -> dict[str, Any]:
    """Record samples, three in a call, and messages."""
    with synapse(journal_budget=1 << 30) as ctx:
        for number in range(samples // 3):
            ctx.set_metrics({"loss": 1 / (number + 1), "accuracy": number / samples, "epoch": number}, "training")
        for number in range(messages):
            ctx.log_message(f"epoch {number // 100}: batch {number % 100} is done")
    return {}


def waiting() -> dict[str, Any]:
    """Live, and record nothing."""
    with synapse():
        go_on()
    return {}


def _recorder(ctx: Any, rate: int) -> Callable[[int], None]:
    """Return what makes the records of one second: nine in ten are log records, the others samples."""
    samples = rate // 10 // len(METRICS)
    logs = rate - samples * len(METRICS)

    def second(number: int) -> None:
        for _ in range(logs):
            ctx.log(MARK, DATA)
        for _ in range(samples):
            ctx.set_metrics(METRICS, "training")
        ctx.set_progress(number, 1_000_000, "training")

    return second


def day(rounds: int, ticks: int, samples: int, messages: int, times_faster: float) -> dict[str, Any]:
    """Tick, sample and log for a day, in rounds, on a clock that goes faster; tells each round's cost of a tick."""
    hasten(times_faster)
    costs, memory = [], []
    clock = time.perf_counter_ns
    with synapse(exit_timeout=PATIENCE_SECONDS * times_faster) as ctx:
        go_on()
        begin = time.monotonic()
        total = rounds * ticks
        for turn in range(rounds):
            before = clock()
            for number in range(turn * ticks, turn * ticks + ticks):
                ctx.set_progress(number, total, "training")
            costs.append((clock() - before) / ticks / 1e3)
            for _ in range(samples // len(METRICS)):
                ctx.set_metrics(METRICS, "training")
            for _ in range(messages):
                ctx.log(MARK, DATA)
            memory.append(memory_mebibytes()["RssAnon"])
            _pace(begin + (turn + 1) * 86_400 / rounds, times_faster)
        hours = (time.monotonic() - begin) / 3600
    return {"costs": costs, "memory": memory, "hours": hours}


def _pace(until: float, times_faster: float) -> None:
    left = until - time.monotonic()
    if left > 0:
        time.sleep(left / times_faster)
