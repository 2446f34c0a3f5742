"""A Ray cluster of one node with the jobs API, until standard input ends: it has heard nothing of telemetry.

Run by the SDK's Python. Prints one line of JSON: `address` for drivers, `dashboard` for the jobs API, `logs`.
Of the dashboard's nine processes only the one for jobs is started: all of them take a small machine half a minute.
"""

import json
import sys
from typing import Any

import ray
from ray._private import ray_constants, services

start_ray_process = services.start_ray_process


def start_lean(command: list[str], process_type: str, *args: Any, **kwargs: Any) -> Any:
    """Start a process of the cluster; the dashboard with the jobs API alone."""
    if process_type == ray_constants.PROCESS_TYPE_DASHBOARD:
        command = [*command, "--modules-to-load=JobHead", "--disable-frontend"]
    return start_ray_process(command, process_type, *args, **kwargs)


services.start_ray_process = start_lean
head = ray.init(num_cpus=4, include_dashboard=True, logging_level="ERROR", _temp_dir=sys.argv[1])
told = {
    "address": head.address_info["gcs_address"],
    "dashboard": f"http://{head.dashboard_url}",
    "logs": f"{head.address_info['session_dir']}/logs",
}
print(json.dumps(told), flush=True)
sys.stdin.read()
ray.shutdown()
