"""A driver as anyone would write it: a cluster of this machine, and an action of a plugin in an actor of it."""

import json
import sys

import ray
from synapse_sdk.plugins.runner import ExecutionMode, run_plugin

if __name__ == "__main__":
    plugin, action, params, job_id = sys.argv[1:]
    ray.init(num_cpus=1, include_dashboard=False, object_store_memory=100_000_000)
    result = run_plugin(
        plugin,
        action,
        json.loads(params),
        mode=ExecutionMode.TASK,
        job_id=job_id,
        runtime_env={"env_vars": {"PYTHONPATH": plugin}},
    )
    print(f"returned {json.dumps(result)}")
