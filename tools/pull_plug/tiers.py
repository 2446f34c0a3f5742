"""The real tiers before a real log store and what counts the rest; their queues on a small disk, if one can be had."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.pull_plug.backend import Backend
from tools.pull_plug.trial import Tiers
from tools.stack.stack import Stack


@contextmanager
def running_tiers(folder: Path, queues: Path, *, queue_bytes: int, keep: str = "disk") -> Iterator[Tiers]:
    """Run agent and gateway, what they write in `folder`, their queues, each of this size, in `queues`.

    `keep` is where both keep what they took: on the `disk`, or nowhere, `through`.
    """
    with Backend() as backend:
        environments = {
            "agent": {"COLLECTOR_STORAGE_PATH": str(queues / "agent")},
            "gateway": {
                "COLLECTOR_STORAGE_PATH": str(queues / "gateway"),
                "COLLECTOR_METRICS_ENDPOINT": backend.url,
                "COLLECTOR_TRACES_ENDPOINT": backend.address,
            },
        }
        queue = {
            "COLLECTOR_QUEUE_BYTES": str(queue_bytes),
            "COLLECTOR_AGENT_QUEUE": keep,
            "COLLECTOR_GATEWAY_QUEUE": keep,
        }
        with Stack(
            ("victorialogs", "gateway", "agent"), directory=folder, environment=queue, environments=environments
        ) as stack:
            yield Tiers(stack, backend, folder / "journals", queues)


@contextmanager
def small_disk(folder: Path, mebibytes: int) -> Iterator[bool]:
    """Mount an empty file system of this size at `folder`, which is made; yield whether that was possible.

    It takes root. Without, the folder is one like any other.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=0700", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:  # no `mount` on this machine
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
