"""Jobs that `synapse-otel run` starts in its tests: ``python jobs.py NAME [ARGUMENT]``."""

from __future__ import annotations

import os
import signal
import sys
import time

import synapse_otel
from synapse_otel.loggers import NoOpLogger


def main(name: str, *arguments: str) -> None:
    with synapse_otel.job("train", plugin="yolo", job_id="job-4711", logger=NoOpLogger()) as ctx:
        ctx.set_progress(3, 10)
        ctx.set_progress(1, 4, "load")
        ctx.log_message("begun")
        print("the last words, token=ghp_abcdefghijklmnopqrstuvwxyz0123456789", file=sys.stderr, flush=True)
        print("ready", flush=True)
        match name:
            case "signal":
                os.kill(os.getpid(), signal.Signals[arguments[0]])
            case "exit":
                os._exit(int(arguments[0]))
            case "wait":
                sys.stdin.readline()
            case "sleep":
                time.sleep(60)


if __name__ == "__main__":
    main(*sys.argv[1:])
