"""Jobs whose machine runs out of something, each run as a process of its own: ``python disk_jobs.py NAME``."""

from __future__ import annotations

import os
import resource
import shutil
import sys
import threading

import synapse_otel
from synapse_otel.journal import segment
from synapse_otel.loggers import NoOpLogger
from synapse_otel.runtime.state import STATE


def begin(job_id="job-1"):
    return synapse_otel.job("train", plugin="demo", job_id=job_id, logger=NoOpLogger())


def told(line):
    os.write(1, f"{line}\n".encode())


def limited(limit_bytes, record_bytes, records):
    """No file may be larger than that."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit_bytes), int(limit_bytes)))
    with begin() as ctx:
        for number in range(int(records)):
            ctx.log_message(f"{number} " + "x" * (int(record_bytes) if number == 1 else 100))
    told("left")


def without_descriptors(when):
    """All descriptors of the process are in use: when the job begins, or while it records."""
    with begin("job-0"):
        pass  # what a job imports is imported
    if when == "before":
        taken = take_all()
    with begin() as ctx:
        ctx.log_message("0 first")
        if when == "while":
            taken = take_all()
        for number in range(1, 400):
            ctx.log_message(f"{number} " + "x" * 30_000, "danger" if number % 100 == 0 else "info")
        if when == "while":
            give_back(taken)
        ctx.log_message("400 last")
    if when == "before":
        give_back(taken)
    told("left")


def deleted_while_another_thread_waits():
    """The journal is found deleted, while another thread holds the recorder's lock and is about to use the journal."""
    with begin() as ctx:
        ctx.log_message("0 before", "danger")  # what is made once for such messages is made
        recorder = STATE.runtime.installed.recorder
        shutil.rmtree(recorder.run.journals[-1].folder)
        holds, recorded = threading.Event(), threading.Event()

        def hold():
            with recorder._lock:
                holds.set()
                recorded.wait(20)

        other = threading.Thread(target=hold)
        other.start()
        holds.wait()
        ctx.log_message("1 is written to what was deleted, and finds it out", "danger")
        ctx.log_message("2 after", "danger")
        told(f"recorded while the other one waits: {other.is_alive()}")
        recorded.set()
        other.join()
    told("left")


def take_all():
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    taken = []
    while True:
        try:
            taken.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            return taken


def give_back(taken):
    for descriptor in taken:
        os.close(descriptor)


def called(record_bytes, records):
    """Write as on a file system that cannot allocate in advance."""
    segment._fallocate = lambda: None
    with begin() as ctx:
        for number in range(int(records)):
            ctx.log_message(f"{number} " + "x" * int(record_bytes))
        ctx.log_message("the last")
    told("left")


def deleted(how):
    """Somebody deletes the journal; then an error is recorded, or not."""
    with begin() as ctx:
        for number in range(10):
            ctx.log_message(f"{number} before")
        told("ready")
        sys.stdin.readline()
        ctx.log_message("an error, or not", "danger" if how == "error" else "info")
        for number in range(10, 20):
            ctx.log_message(f"{number} after")
    told("left")


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
