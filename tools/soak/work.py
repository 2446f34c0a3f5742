"""What is killed: a job that records for ever, and says of each call that it has returned.

``python -m tools.soak.work SCENARIO SEED TOLD ROOT``. What it says is one ``write(2)`` after the call, into a file:
bytes that the kernel has are there after a kill.
"""

from __future__ import annotations

import itertools
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import synapse_otel
from synapse_otel.journal import writer
from synapse_otel.loggers import NoOpLogger
from synapse_otel.plugins.context import RuntimeContext

EPOCHS: Final = 1_000_000
STEP: Final = "train"
_SMALL_SEGMENT: Final = 1 << 16
"""Bytes of a segment where many are wanted: a new one every few milliseconds."""


def work(scenario: str, seed: int, told: Path, root: Path) -> None:
    """Run a job until somebody kills this process.

    Args:
        scenario: ``rotation`` and ``sync`` record flat out, into small segments or records that are synced; all
            others record something of everything, some thousand times a second.
        seed: of what chance decides.
        told: file that takes what calls have returned from.
        root: folder of the journals.
    """
    if scenario == "rotation":
        writer.SEGMENT_SIZE = _SMALL_SEGMENT  # type: ignore[misc]
    descriptor = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def tell(line: str) -> None:
        os.write(descriptor, f"{line}\n".encode())

    synapse_otel.configure(journal_dir=root, shipper="off", metric_export_interval=500)
    with synapse_otel.job("soak", plugin="soak", job_id=f"seed-{seed}", logger=NoOpLogger()) as ctx:
        tell(f"b {os.getpid()}")
        step = ctx.scope.begin_step(STEP, order=1, weight=1)
        with step.activated():
            _RECORD.get(scenario, _everything)(ctx, tell, random.Random(seed))  # noqa: S311 - no secret


def _everything(ctx: RuntimeContext, tell: Callable[[str], None], chance: random.Random) -> None:
    for number in itertools.count(1):
        ctx.set_progress(number, EPOCHS)
        tell(f"p {number}")
        ctx.set_metrics({"count": number, "loss": 1 / number})
        tell(f"s {number}")
        ctx.log_message(f"message {number}")
        tell(f"m message {number}")
        ctx.log("epoch", {"number": number})
        tell(f"e {number}")
        time.sleep(chance.uniform(0, 0.001))


def _small_segments(ctx: RuntimeContext, tell: Callable[[str], None], chance: random.Random) -> None:
    for number in itertools.count(1):
        ctx.log_message(f"message {number} " + "x" * chance.randrange(2_000))
        tell(f"m message {number}")
        ctx.set_progress(number, EPOCHS)
        tell(f"p {number}")


def _synced(ctx: RuntimeContext, tell: Callable[[str], None], chance: random.Random) -> None:
    for number in itertools.count(1):
        ctx.log_message(f"message {number}", chance.choice(["error", "danger", "info"]))
        tell(f"m message {number}")
        ctx.set_progress(number, EPOCHS)
        tell(f"p {number}")


_RECORD: Final = {"rotation": _small_segments, "sync": _synced}

if __name__ == "__main__":
    work(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))
