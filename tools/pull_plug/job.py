"""A job that records at a steady rate until its standard input ends: ``python -m tools.pull_plug.job JOB_ID RATE``.

Each record holds its number, so that each can be looked for. At the end it prints how many it made, as JSON.
"""

from __future__ import annotations

import json
import select
import sys
import time
from typing import Final

import synapse_otel
from synapse_otel.loggers import NoOpLogger

EVENT: Final = "tick"
NUMBER: Final = "synapse.data.number"
SAMPLE: Final = "number"
_SECONDS: Final = 0.01
"""Between two bursts of records."""
_BURSTS_A_SAMPLE: Final = 10


def work(job_id: str, rate: int) -> dict[str, int]:
    """Record `rate` log records a second, some samples and a span, until told to end; return how many of each."""
    records = bursts = samples = 0
    padding = "x" * 60
    with synapse_otel.job("train", plugin="plug", job_id=job_id, logger=NoOpLogger()) as ctx:
        print("begun", flush=True)
        step = ctx.scope.begin_step("train", order=1, weight=1)
        with step.activated():
            begin = time.monotonic()
            while not select.select([sys.stdin], [], [], 0)[0]:
                due = round((time.monotonic() - begin) * rate)
                for number in range(records, due):
                    ctx.log(EVENT, {"number": number, "text": padding})
                records = max(records, due)
                if not bursts % _BURSTS_A_SAMPLE:
                    ctx.set_metrics({SAMPLE: samples})
                    samples += 1
                bursts += 1
                time.sleep(_SECONDS)
        step.end()
    return {"records": records, "samples": samples}


if __name__ == "__main__":
    print(json.dumps(work(sys.argv[1], int(sys.argv[2]))), flush=True)
