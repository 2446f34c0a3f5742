"""Resource usage of one journal's process: finds it, samples it, writes samples next to the journal."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Final

from synapse_otel.journal.files.locks import holder, is_locked
from synapse_otel.journal.folder import ALIVE_LOCK, Run
from synapse_otel.journal.usage import Gpu, GpuSample, OomKill, UsageSample, UsageSource, UsageWriter, read_usage
from synapse_otel.shipper.usage.cgroup import CGROUPS, Confines, oom_kills
from synapse_otel.shipper.usage.gpus import Device, of_job
from synapse_otel.shipper.usage.host import HostReading
from synapse_otel.shipper.usage.reading import Total, Tree, TreeReading, is_older

_RECENT_NS: Final = 30_000_000_000
"""A kill counts as out of memory only if the process was sampled within this time before."""
_SOON_NS: Final = 50_000_000
_CONFINES_SECONDS: Final = 60.0
_MEASURED_SECONDS: Final = 0.5
"""A ratio over a shorter time is meaningless: the kernel counts in hundredths of a second."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What is sampled in addition to the processes, once for all jobs."""

    host: HostReading
    devices: list[Device] = field(default_factory=list)
    network: Callable[[int], tuple[int, int] | None] = lambda _pid: None


class JournalUsage:
    """The process of a journal, and all that it has begun."""

    def __init__(self, folder: Path, run: Run | None, *, cgroups: Path = CGROUPS) -> None:
        """Begin; nothing is read yet. ``run`` is None if it cannot be read; ``cgroups`` is the mount point of these."""
        self.folder = folder
        self._run = run
        self.journal = run.journal if run else ""
        self.parent = run.parent if run and not run.continues else ""
        """The journal of the process that this one works for."""
        self.covered_by: JournalUsage | None = None
        """The journal whose process started this one: its samples include this one already."""
        self.tree: Tree | None = None
        self.blind = False
        """The process is not visible from here."""
        self.over = False
        self.source: UsageSource | None = None
        self.latest: UsageSample | None = None
        self.lock = Lock()
        self.refresh: Callable[[], None] = lambda: None
        """Sample at once, unless that was just done: a job has ended, and its process may exit in a moment."""
        self._cgroups = cgroups
        self._confines: Confines | None = None
        self._looked = 0.0
        self._writer: UsageWriter | None = None
        self._totals: dict[str, Total] = {}
        self._gpus: dict[int, Gpu] = {}
        """All that have been its own."""

    def find(self) -> int | None:
        """Return the process that writes the journal, which holds its lock; None if it is not visible here."""
        if sys.platform == "linux":
            return holder(self.folder / ALIVE_LOCK)
        run = self._run
        return run.process if run is not None and self.lives() and is_older(run.process, run.created) else None

    def lives(self) -> bool:
        """Return whether the process is alive, visible or not."""
        try:
            return is_locked(self.folder / ALIVE_LOCK)
        except OSError:
            return False

    def begin(self, tree: Tree) -> None:
        """Sample a process and its descendants from now on."""
        self.tree = tree
        self._writer = UsageWriter(self.folder)
        last, source = self._writer.last, self._writer.source
        self._gpus = {gpu.index: gpu for gpu in source.gpus} if source is not None else {}
        for name in ("cpu_user", "cpu_system", "disk_read", "disk_written"):
            self._totals[name] = Total(getattr(last, name) if last is not None else None)

    @property
    def is_covered(self) -> bool:
        """Whether the samples of another journal, whose process is alive, include this one's process already."""
        return self.covered_by is not None and not self.covered_by.over

    @property
    def is_recent(self) -> bool:
        """Whether it was sampled a moment ago."""
        return self.latest is not None and time.time_ns() - self.latest.time < _SOON_NS

    def sample(self, machine: Machine) -> None:
        """Sample it, and write that down; its lock is held.

        Raises:
            OSError: it cannot be written down.
        """
        if self.over or self.tree is None or self._writer is None:
            return
        reading = self.tree.read()
        if reading is None:
            self.over = True
            return
        devices, by = of_job(machine.devices, reading.pids, self.tree.root)
        confines = self._look_at_confines(self.tree.root, machine.host)
        self._gpus |= {device.gpu.index: device.gpu for device in devices}
        source = self._source(self.tree, machine.host, confines, by)
        sample = self._sampled(reading, machine, confines.oom_kills(), [device.sample for device in devices])
        # The latest first: it is told though the disk be full.
        changed, self.source, self.latest = source != self.source, source, sample
        self._writer.append(*([source] if changed else []), sample)

    def _sampled(self, reading: TreeReading, machine: Machine, kills: int | None, gpus: list[GpuSample]) -> UsageSample:
        now = time.time_ns()
        totals = self._totals
        user, system = totals["cpu_user"].of(reading.user), totals["cpu_system"].of(reading.system)
        before = self.latest
        seconds = (now - before.time) / 1e9 if before is not None else 0
        cpus = None
        if before is not None and seconds >= _MEASURED_SECONDS:
            cpus = (user + system - before.cpu_user - before.cpu_system) / seconds
        received, sent = machine.network(self.tree.root if self.tree else 0) or (None, None)
        return UsageSample(
            time=now,
            cpu_user=user,
            cpu_system=system,
            cpus=cpus,
            memory=reading.memory,
            memory_peak=reading.memory_peak,
            processes=len(reading.pids),
            disk_read=totals["disk_read"].of_known(reading.disk_read),
            disk_written=totals["disk_written"].of_known(reading.disk_written),
            received=received,
            sent=sent,
            host_cpu=machine.host.cpu,
            host_memory=machine.host.memory,
            oom_kills=kills,
            gpus=gpus,
        )

    def _look_at_confines(self, pid: int, host: HostReading) -> Confines:
        """Return its limits, which hardly ever change."""
        now = time.monotonic()
        if self._confines is None or now - self._looked >= _CONFINES_SECONDS:
            self._looked = now
            found = Confines.of(pid, self._cgroups)
            cpus = min(_affinity(pid, host.cpus), found.cpus or host.cpus)
            # More than there is, is no limit.
            memory = found.memory if found.memory < (host.memory_limit or found.memory + 1) else 0
            self._confines = found._replace(cpus=cpus, memory=memory)
        return self._confines

    def _source(self, tree: Tree, host: HostReading, confines: Confines, by: str) -> UsageSource:
        return UsageSource(
            started=tree.started,
            cpus=confines.cpus,
            memory_limit=confines.memory,
            host_cpus=host.cpus,
            host_memory=host.memory_limit,
            cgroup=confines.cgroup,
            gpus=list(self._gpus.values()),
            gpus_by=by,
        )


def note_oom_kill(folder: Path) -> None:
    """Check whether a journal's process died out of memory, and record it if so.

    Nothing is known about a process that was not sampled shortly before.

    Raises:
        OSError: it cannot be written.
    """
    usage = read_usage(folder)
    if usage.source is None or not usage.source.cgroup or not usage.samples or usage.oom_kill is not None:
        return
    # The kernel counts before the process is quite gone: so the last sample may have been taken in between.
    before, last = usage.samples[-2:][0], usage.samples[-1]
    now = time.time_ns()
    recent = max(_RECENT_NS, 3 * (last.time - before.time))
    kills = oom_kills(usage.source.cgroup)
    if before.oom_kills is not None and kills is not None and kills > before.oom_kills and now - last.time < recent:
        UsageWriter(folder).append(OomKill(now))


def _affinity(pid: int, otherwise: int) -> int:
    try:
        return len(os.sched_getaffinity(pid))
    except (AttributeError, OSError):
        return otherwise
