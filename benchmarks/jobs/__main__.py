"""``python -m benchmarks.jobs NAME ARGUMENTS``: run a job; the arguments are JSON, and so is what it has found.

It stands on the last line of stdout. A job that says ``ready`` before waits for a line, or the end, of stdin.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.jobs import bursts, calls, long, many

JOBS: dict[str, Callable[..., dict[str, Any]]] = {
    job.__name__: job
    for job in (
        bursts.burst,
        bursts.delivered,
        bursts.empty,
        bursts.leaving,
        bursts.stock_burst,
        bursts.stock_delivered,
        calls.beginning,
        calls.growing,
        calls.layers,
        long.day,
        long.filling,
        long.configuration,
        long.kept,
        long.waiting,
        long.outage,
        many.tasks,
        many.threads,
    )
}


if __name__ == "__main__":
    print(json.dumps(JOBS[sys.argv[1]](**json.loads(sys.argv[2]))), flush=True)
