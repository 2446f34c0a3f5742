"""The host that jobs run on, and the network that a process sees."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

from synapse_otel.shipper.usage.proc_tree import PROC, read_file

_VIRTUAL: Final = ("lo", "veth", "docker", "br-", "virbr", "cni", "cali", "flannel", "vxlan", "ifb", "dummy")
"""Beginnings of names of interfaces over which passes again what passes over a real one, or what never leaves."""
_LEAST_TICKS: Final = 20
"""A ratio over a shorter time is meaningless."""
_KIBIBYTE: Final = 1024
_GUEST: Final = 8
"""Times of guests are among those of users."""
_IDLE: Final = slice(3, 5)
_RECEIVED, _SENT = 0, 8


class HostReading(NamedTuple):
    """The host, now; None: the system does not report it."""

    cpu: float | None
    """Share of all CPUs that was busy since it was read last."""
    memory: int | None
    """Bytes in use."""
    memory_limit: int
    """Total bytes; 0: the system does not report it."""
    cpus: int


class ProcHost:
    """The host, as Linux reports it."""

    def __init__(self, proc: Path = PROC) -> None:
        self._proc = proc
        self._busy, self._all = self._times()
        self._moved: dict[int, tuple[int, int] | None] = {}
        """By network namespace, the bytes received and sent at the last reading."""

    def read(self) -> HostReading:
        """Return its current usage."""
        self._moved.clear()
        busy, whole = self._times()
        cpu = (busy - self._busy) / (whole - self._all) if whole >= self._all + _LEAST_TICKS else None
        if cpu is not None:
            self._busy, self._all = busy, whole
        memory, limit = self._memory()
        return HostReading(None if cpu is None else min(max(cpu, 0.0), 1.0), memory, limit, os.cpu_count() or 1)

    def _times(self) -> tuple[int, int]:
        try:
            times = [int(ticks) for ticks in read_file(f"{self._proc}/stat").split(b"\n", 1)[0].split()[1:][:_GUEST]]
        except (OSError, ValueError):
            return 0, 0
        whole = sum(times)
        return whole - sum(times[_IDLE]), whole

    def _memory(self) -> tuple[int | None, int]:
        known: dict[bytes, int] = {}
        try:
            for line in read_file(f"{self._proc}/meminfo").split(b"\n")[:3]:
                name, _, size = line.partition(b":")
                known[name] = int(size.split()[0]) * _KIBIBYTE
            return known[b"MemTotal"] - known[b"MemAvailable"], known[b"MemTotal"]
        except (OSError, ValueError, IndexError, KeyError):
            return None, known.get(b"MemTotal", 0)

    def network(self, pid: int) -> tuple[int, int] | None:
        """Return the bytes received and sent in the network namespace of a process; None: not available."""
        try:
            namespace = os.stat(f"{self._proc}/{pid}/ns/net").st_ino
        except OSError:
            return self._network(pid)
        if namespace not in self._moved:
            self._moved[namespace] = self._network(pid)
        return self._moved[namespace]

    def _network(self, pid: int) -> tuple[int, int] | None:
        received = sent = 0
        try:
            for line in read_file(f"{self._proc}/{pid}/net/dev").split(b"\n")[2:]:
                name, _, counters = line.partition(b":")
                if counters and not name.decode().strip().startswith(_VIRTUAL):
                    fields = counters.split()
                    received += int(fields[_RECEIVED])
                    sent += int(fields[_SENT])
        except (OSError, ValueError, IndexError):
            return None
        return received, sent


class PsutilHost:
    """The host, as psutil reports it."""

    def __init__(self) -> None:
        import psutil

        self._psutil = psutil
        psutil.cpu_percent(None)

    def read(self) -> HostReading:
        """Return its current usage."""
        memory = self._psutil.virtual_memory()
        cpu = self._psutil.cpu_percent(None) / 100
        return HostReading(cpu, memory.total - memory.available, memory.total, os.cpu_count() or 1)

    def network(self, _pid: int) -> tuple[int, int] | None:
        """Return the bytes that the host has received and sent."""
        counted = [
            counters
            for name, counters in self._psutil.net_io_counters(pernic=True).items()
            if not name.startswith(_VIRTUAL)
        ]
        return sum(one.bytes_recv for one in counted), sum(one.bytes_sent for one in counted)
