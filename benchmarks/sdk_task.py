"""Run in the SDK's Python: ``sdk_task.py ADDRESS ACTION``; a driver that runs an action in an actor, and ends."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run it."""
    from synapse_sdk.plugins.executors.ray.task import RayActorExecutor

    address, action = sys.argv[1:]
    passed = ("PYTHONPATH", "SYNAPSE_OTEL_ENDPOINT")
    variables = {name: os.environ[name] for name in passed if name in os.environ}
    executor = RayActorExecutor(job_id="job-1", ray_address=address, runtime_env={"env_vars": variables})
    executor.execute(action, {"dataset": 1, "epochs": 1})


if __name__ == "__main__":
    main()
