"""Jobs that use something: ``python jobs.py NAME [ARGUMENT...]``. They go on when a line comes on stdin."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import synapse_otel
from synapse_otel.loggers import NoOpLogger

BUSY = "total = 0\nfor i in range({}): total += i"


def begin():
    return synapse_otel.job("train", plugin="yolo", job_id="job-1", logger=NoOpLogger())


def ready(what: object = "") -> None:
    print(f"ready {what}".strip(), flush=True)
    sys.stdin.readline()


def wait() -> None:
    """Nothing at all."""
    with begin():
        ready()


def memory(mebibytes: str) -> None:
    """So much memory, held for a moment only."""
    with begin():
        ready()
        held = bytearray(b"x") * (int(mebibytes) << 20)
        del held
        ready()


def children(megabytes: str) -> None:
    """A child that computes, one that writes to the disk, and one that lives on; all but the last are waited for."""
    with begin():
        ready()
        subprocess.run([sys.executable, "-c", BUSY.format(5_000_000)], check=True)
        path = Path(os.environ["SYNAPSE_OTEL_JOURNAL_DIR"]).with_name("written")
        code = f"import os\nf=open({str(path)!r}, 'wb')\nf.write(bytes({megabytes} << 20))\nf.flush()\nos.fsync(f)"
        subprocess.run([sys.executable, "-c", code], check=True)
        child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
        ready(child.pid)
        child.kill()
        child.wait()


def worker() -> None:
    """A worker, forked, that records something of its own for the job."""
    with begin() as ctx:
        child = os.fork()
        if child == 0:
            ctx.log_message("of the worker")
            signal.pause()
        ready(child)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def in_a_row(count: str) -> None:
    """One job after another in one process."""
    for number in range(int(count)):
        with synapse_otel.job("train", plugin="yolo", job_id=f"job-{number}", logger=NoOpLogger()):
            ready(number)


def confined(cgroup: str, mebibytes: str) -> None:
    """More memory than its cgroup allows: the kernel kills it."""
    (Path(cgroup) / "cgroup.procs").write_text(str(os.getpid()))
    with begin():
        ready()
        held = bytearray(b"x") * (int(mebibytes) << 20)
        ready(len(held))


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
