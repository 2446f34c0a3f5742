"""A job that comes to the state that its argument names, and stays there; its id is the name of it."""

import multiprocessing
import os
import sys
import time

import synapse_otel
from synapse_otel.loggers import NoOpLogger
from synapse_otel.plugins.context import RuntimeContext


def record(ctx: RuntimeContext) -> None:
    """Record something from now on, until the process that asked for it is gone."""
    parent = os.getppid()
    while os.getppid() == parent:
        ctx.log_message("still here")
        time.sleep(0.2)


def main(what: str) -> None:
    with synapse_otel.job("train", plugin="yolo", version="1", job_id=what, logger=NoOpLogger()) as ctx:
        ctx.set_progress(1, 10)
        if what in {"good", "ended"}:
            return
        if what == "failing":
            raise RuntimeError("no room on the device")
        if what == "exited":
            os._exit(3)
        if what == "waits for another process":
            multiprocessing.get_context("spawn").Process(target=record, args=(ctx,), daemon=True).start()
        print("ready", flush=True)
        if what in {"advancing", "killed", "stopped", "terminated"}:
            record(ctx)
        time.sleep(3600)


if __name__ == "__main__":
    main(sys.argv[1])
    if sys.argv[1] == "ended":
        time.sleep(3600)  # its process does something else
