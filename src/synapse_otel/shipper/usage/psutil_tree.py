"""A job's processes with psutil, where the kernel does not list children: macOS, some containers."""

from __future__ import annotations

from typing import Any

import psutil

from synapse_otel.shipper.usage.reading import TreeReading


class PsutilTree:
    """The processes of a job, as psutil finds them."""

    def __init__(self, root: int) -> None:
        """Begin with a process.

        Raises:
            psutil.Error: it is not visible.
        """
        self.root = root
        self._root = psutil.Process(root)
        self.started = int(self._root.create_time() * 1e9)

    def read(self) -> TreeReading | None:
        """Return their usage; None if the root has ended."""
        if not self._lives():
            return None
        user = system = 0.0
        memory = 0
        disk: list[int] | None = [0, 0]
        pids = set()
        for process in [self._root, *self._below()]:
            try:
                with process.oneshot():
                    times, resident = process.cpu_times(), process.memory_info().rss
                moved = _moved(process)
            except psutil.Error:
                continue  # it has ended between two looks, or is another user's
            pids.add(process.pid)
            user += times.user + getattr(times, "children_user", 0.0)
            system += times.system + getattr(times, "children_system", 0.0)
            memory += resident
            disk = None if disk is None or moved is None else [disk[0] + moved[0], disk[1] + moved[1]]
        if self.root not in pids:
            return None
        read, written = disk or (None, None)
        return TreeReading(user, system, memory, memory, frozenset(pids), read, written)

    def _lives(self) -> bool:
        try:
            # Running, says psutil, is also what has ended and was not waited for; not what only has its number.
            return bool(self._root.is_running() and self._root.status() != psutil.STATUS_ZOMBIE)
        except psutil.Error:
            return False

    def _below(self) -> list[Any]:
        try:
            return list(self._root.children(recursive=True))
        except psutil.Error:
            return []


def _moved(process: Any) -> tuple[int, int] | None:
    try:
        counted = process.io_counters()
    except (AttributeError, psutil.AccessDenied):
        return None  # macOS does not tell
    return counted.read_bytes, counted.write_bytes
