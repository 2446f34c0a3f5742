"""Jobs that try the shipper's process: ``python shipper_jobs.py NAME [ARGUMENT...]``. Commands come on stdin."""

from __future__ import annotations

import os
import signal
import sys

import msgspec
from opentelemetry import trace

import synapse_otel
from synapse_otel.loggers import NoOpLogger
from synapse_otel.runtime import process as pipeline
from synapse_otel.shipper import launch as start

HESITANT = """
import time
from synapse_otel.shipper.service import Shipper
stop = Shipper.stop
def hesitate(self):
    stop(self)
    with (self._journals.roots[0] / "leaving").open("a") as file:
        file.write(".")
    time.sleep(0.5)
Shipper.stop = hesitate
"""
"""Between its last look at the journals and its letting go of the lock."""


def told(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def begin(job_id: str = "job-1"):
    return synapse_otel.job("train", plugin="demo", job_id=job_id, logger=NoOpLogger())


def row(count: str) -> None:
    """Short jobs, one after another."""
    for number in range(int(count)):
        with begin(f"job-{number}") as ctx:
            ctx.log_message(f"message of {number}")
            ctx.set_metrics({"loss": number})
    told("done")


def crowd(count: str) -> None:
    """Many processes with a job each, all at once; every other one is killed."""
    children = []
    for number in range(int(count)):
        ready, done = os.pipe()
        child = os.fork()
        if child == 0:
            with begin(f"job-{number}") as ctx:
                ctx.log_message(f"message of {number}")
                os.write(done, b".")
                if number % 2:
                    signal.pause()
            os._exit(0)
        os.close(done)
        children.append((child, ready))
    for _, ready in children:
        os.read(ready, 1)
        os.close(ready)
    told(f"ready {count}")
    for number, (child, _) in enumerate(children):
        if number % 2:
            os.kill(child, signal.SIGKILL)
    for child, _ in children:
        os.waitpid(child, 0)
    told("done")


def on_command(idle_seconds: str) -> None:
    """A job in a process of its own for each line; a shipper that is started leaves soon, and takes its time."""
    shipper_configuration = pipeline.shipper_configuration

    def hasty(*arguments, **options):
        return msgspec.structs.replace(shipper_configuration(*arguments, **options), idle_seconds=float(idle_seconds))

    pipeline.shipper_configuration = hasty
    start._PROGRAM = start._PROGRAM.replace("main()", f"{HESITANT}main()")
    told("ready")
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            with begin(line.strip()) as ctx:
                ctx.log_message(f"message of {line.strip()}")
            os._exit(0)
        os.waitpid(child, 0)
        told(f"done {line.strip()}")


def in_steps() -> None:
    """One job that records a step for each line."""
    with begin() as ctx:
        told("ready")
        for line in sys.stdin:
            with trace.get_tracer("test").start_as_current_span(line.strip()):
                ctx.log_message(f"message of {line.strip()}")
            told(f"done {line.strip()}")


def interrupted() -> None:
    """A job at a terminal."""
    with begin() as ctx:
        ctx.log_message("before")
        told("ready")
        signal.pause()


JOBS = {name: value for name, value in list(globals().items()) if callable(value) and not name.startswith("_")}

if __name__ == "__main__":
    JOBS[sys.argv[1]](*sys.argv[2:])
