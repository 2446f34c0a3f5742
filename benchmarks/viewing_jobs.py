"""Jobs that are looked at while they are measured: ``python -m benchmarks.viewing_jobs NAME``."""

from __future__ import annotations

import resource
import sys
import time
from typing import Final

SAMPLES: Final = 1_000_000
MESSAGES: Final = 100_000
METRICS: Final = 4
"""Values of one `set_metrics` call."""
CALLS: Final = 200_000


def long() -> None:
    """Run a very long one."""
    import synapse_otel
    from synapse_otel.loggers import NoOpLogger

    with synapse_otel.job("train", plugin="long", logger=NoOpLogger()) as ctx:
        for number in range(SAMPLES // METRICS):
            ctx.set_metrics({f"metric_{one}": number % (97 + one) for one in range(METRICS)})
            if number * METRICS % (SAMPLES // MESSAGES) < METRICS:
                ctx.log_message(f"message {number * METRICS // (SAMPLES // MESSAGES)}")


def steered() -> None:
    """Say each line of stdin."""
    import synapse_otel
    from synapse_otel.loggers import NoOpLogger

    with synapse_otel.job("train", plugin="steered", logger=NoOpLogger()) as ctx:
        print("ready")
        for line in sys.stdin:
            ctx.log_message(line.strip())


def paced() -> None:
    """Make calls at a pace, and print what CPU one of them costs, in us."""
    import synapse_otel
    from synapse_otel.loggers import NoOpLogger

    with synapse_otel.job("train", plugin="paced", logger=NoOpLogger()) as ctx:
        time.sleep(1.0)
        begun = resource.getrusage(resource.RUSAGE_SELF)
        for number in range(CALLS):
            ctx.set_progress(number, CALLS)
            if not number % 10:
                ctx.set_metrics({"loss": 1.0})
                ctx.log_message("working")
            if not number % 500:
                time.sleep(0.01)
        ended = resource.getrusage(resource.RUSAGE_SELF)
    seconds = ended.ru_utime - begun.ru_utime + ended.ru_stime - begun.ru_stime
    print(seconds / (CALLS * 1.2) * 1e6)


if __name__ == "__main__":
    {"long": long, "paced": paced, "steered": steered}[sys.argv[1]]()
