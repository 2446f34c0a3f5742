"""Jobs that log from many threads or tasks."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from threading import Thread
from typing import Any

from benchmarks.calls import DATA
from benchmarks.jobs.common import MARK, synapse


def threads(count: int, calls: int) -> dict[str, Any]:
    """Log and tick from several threads, and tell the time, and what stands in the journal afterwards."""
    with synapse(shipper="off", journal_keep=True) as ctx:
        ctx.log(MARK, DATA)

        def work(number: int) -> None:
            with ctx.scope.activated():
                for turn in range(calls):
                    ctx.log(MARK, {"thread": number, "turn": turn})

        workers = [Thread(target=work, args=(number,)) for number in range(count)]
        begin = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        seconds = time.perf_counter() - begin
    return {"seconds": seconds, **_in_order(count, calls)}


def tasks(count: int, calls: int) -> dict[str, Any]:
    """Log from several asyncio tasks, which give way to each other after every call."""
    with synapse(shipper="off", journal_keep=True) as ctx:
        ctx.log(MARK, DATA)

        async def work(number: int) -> None:
            for turn in range(calls):
                ctx.log(MARK, {"thread": number, "turn": turn})
                await asyncio.sleep(0)

        async def all_of_them() -> None:
            await asyncio.gather(*(work(number) for number in range(count)))

        begin = time.perf_counter()
        asyncio.run(all_of_them())
        seconds = time.perf_counter() - begin
    return {"seconds": seconds, **_in_order(count, calls)}


def _in_order(count: int, calls: int) -> dict[str, Any]:
    """Tell how many records are in the journal, how many numbers, and whether each thread's stand in its order."""
    from synapse_otel.journal.folder import run_folders
    from synapse_otel.journal.frames import Kind
    from synapse_otel.journal.reader import read_all

    turns: dict[int, list[int]] = {number: [] for number in range(count)}
    numbers = set()
    for folder in run_folders(Path(os.environ["SYNAPSE_OTEL_JOURNAL_DIR"])):
        for frame, structure in read_all(folder):
            is_log = frame.kind in {Kind.LOG, Kind.BRIEF}
            if is_log and structure is not None and "synapse.data.thread" in structure.attributes:
                turns[structure.attributes["synapse.data.thread"]].append(structure.attributes["synapse.data.turn"])
                numbers.add(frame.sequence)
    whole = all(found == list(range(calls)) for found in turns.values())
    return {"records": sum(map(len, turns.values())), "numbers": len(numbers), "in_order": whole}
