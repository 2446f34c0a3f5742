"""A Ray cluster of one node with the jobs API, until standard input ends: it has heard nothing of telemetry.

Run by the SDK's Python. Prints one line of JSON: `address` for drivers, `dashboard` for the jobs API, `logs`.
Of the dashboard's nine processes only those for jobs are started: all of them take a small machine half a minute.
Ports that Ray fixes are chosen here, so that clusters can stand beside each other.
"""

import json
import os
import socket
import sys
import time
from functools import partialmethod
from types import SimpleNamespace
from typing import Any


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


os.environ["DASHBOARD_METRIC_PORT"] = str(free_port())

import ray  # noqa: E402 - reads the port when it is imported
from ray._private import parameter, ray_constants, services  # noqa: E402

start_ray_process = services.start_ray_process


def start_lean(command: list[str], process_type: str, *args: Any, **kwargs: Any) -> Any:
    """Start a process of the cluster; the dashboard with the jobs API alone."""
    if process_type == ray_constants.PROCESS_TYPE_DASHBOARD:
        command = [*command, "--modules-to-load=JobHead,NodeHead"]
    return start_ray_process(command, process_type, *args, **kwargs)


services.start_ray_process = start_lean
# It looks 200 times for the dashboard's address; on a busy machine that must not be over after 20 s.
services.time = SimpleNamespace(**{**vars(time), "sleep": lambda seconds: time.sleep(5 * seconds)})
parameter.RayParams.__init__ = partialmethod(parameter.RayParams.__init__, dashboard_agent_listen_port=free_port())
head = ray.init(num_cpus=4, include_dashboard=True, logging_level="ERROR", _temp_dir=sys.argv[1])
told = {
    "address": head.address_info["gcs_address"],
    "dashboard": f"http://{head.dashboard_url}",
    "logs": f"{head.address_info['session_dir']}/logs",
}
print(json.dumps(told), flush=True)
sys.stdin.read()
ray.shutdown()
