"""Programs of the tests beside this: ``python programs.py NAME ARGUMENT...``."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import resource
import signal
import sys
import time
from pathlib import Path

import synapse_otel
from synapse_otel import RuntimeContext
from synapse_otel.loggers import NoOpLogger


def give(folder):
    """Run a job, and leave its context pickled: during the job, and after its end."""
    with synapse_otel.job("train", plugin="demo", job_id="job", logger=NoOpLogger()) as ctx:
        Path(folder, "during").write_bytes(pickle.dumps(ctx))
    Path(folder, "after").write_bytes(pickle.dumps(ctx))


def take(file, *, limited=""):
    """Record with a context that was pickled, if asked for where no file can be written."""
    if limited:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    for _again in range(2):
        ctx = pickle.loads(Path(file).read_bytes())
        ctx.log_message(f"taken {Path(file).name}")
        ctx.set_progress(1, 2, "parts")
        ctx.set_metrics({"loss": 1.0}, "parts")
        ctx.job.flush()
    print("went on")


def limited(file):
    take(file, limited="yes")


def outside():
    """Record outside of any job."""
    synapse_otel.configure()
    ctx = RuntimeContext(logger=NoOpLogger())
    ctx.log_message("outside")
    ctx.set_progress(1, 2, "parts")
    print(ctx.job_id, ctx.job.id)


def orphans(folder):
    """Have two processes record, and be killed; they go on."""
    spawn = multiprocessing.get_context("spawn")
    with synapse_otel.job("train", plugin="demo", job_id="orphans", logger=NoOpLogger()) as ctx:
        for number in range(2):
            spawn.Process(target=outlive, args=(ctx, number, os.getpid(), folder)).start()
        while len(list(Path(folder).glob("began *"))) < 2:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)


def outlive(ctx, number, parent, folder):
    ctx.log_message(f"{number} before")
    Path(folder, f"began {number}").touch()
    while os.getppid() == parent:
        time.sleep(0.01)
    ctx.log_message(f"{number} afterwards")
    Path(folder, f"ended {number}").touch()


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[2])]
    from tests.processes import programs  # what is pickled is named by a module that others can import

    getattr(programs, sys.argv[1])(*sys.argv[2:])
