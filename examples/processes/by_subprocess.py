"""Programs that a job starts: one that runs a job of its own, and one that records in the same. Arguments: none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import synapse_otel

HERE = Path(__file__).parent


def main() -> None:
    """Run a job that starts programs in the ordinary way, but for their environment."""
    with synapse_otel.job("train", plugin="parent", job_id="parent") as ctx:
        environment = {**os.environ, **synapse_otel.child_environment(ctx)}
        # A program that runs a job: it becomes a child of this one, in the same trace.
        subprocess.run([sys.executable, str(HERE / "child_job.py")], env=environment, check=True)
        # A shell script, and in it a program that records in this very job.
        script = 'set -e; "$0" "$1" first; "$0" "$1" second'
        shell = ["/bin/sh", "-c", script, sys.executable, str(HERE / "child_part.py")]
        subprocess.run(shell, env=environment, check=True)


if __name__ == "__main__":
    main()
