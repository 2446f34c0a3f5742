"""The cgroup of a job (Linux): its limits, and its out-of-memory kills.

Supports versions 2 and 1. Limits of all visible parent cgroups apply, too: in a container, its own cgroup is
the root.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple, Self

from synapse_otel.shipper.usage.proc_tree import PROC, read_file

CGROUPS: Final = Path("/sys/fs/cgroup")
_UNIFIED: Final = "unified"
"""Mount point of version 2 in a hybrid setup with version 1."""
_KILLS: Final = ("memory.events", "memory.oom_control")
"""Files that count kills: of version 2, of version 1."""
_NO_LIMIT: Final = 1 << 60
"""Version 1 has this value, or a larger one, if there is no limit."""


class Cgroup:
    """Of one process."""

    def __init__(self, pid: int, root: Path = CGROUPS, proc: Path = PROC) -> None:
        """Find it; ``root`` and ``proc`` are the mount points of the file systems of cgroups and processes."""
        self._root = root
        try:
            lines = read_file(f"{proc}/{pid}/cgroup").decode("utf-8", "replace").splitlines()
        except OSError:
            lines = []
        paths = {name: path for _, names, path in (line.split(":", 2) for line in lines) for name in names.split(",")}
        self.memory = self._find(paths, "memory", ("memory.max", "memory.limit_in_bytes"))
        """Folder of the cgroup that accounts the memory; None if there is none."""
        self._cpu = self._find(paths, "cpu", ("cpu.max", "cpu.cfs_quota_us"))

    def _find(self, paths: dict[str, str], controller: str, files: tuple[str, str]) -> Path | None:
        """Return the folder of a controller: of version 1 if it is mounted, otherwise of version 2."""
        if controller in paths:
            mounts, path = [self._root / controller, self._root / "cpu,cpuacct"], paths[controller]
        else:
            mounts, path = [self._root, self._root / _UNIFIED], paths.get("", "/")
        for mount in mounts:
            whole = mount / path.lstrip("/")
            # In a container the path may be the host's, while what is mounted begins with the container's own.
            for folder in (whole, mount):
                if ".." not in folder.parts and any((folder / file).exists() for file in files):
                    return folder
        # The root of version 2 has no limits, but its children count.
        found = mounts[0] / path.lstrip("/")
        return found if (found / "memory.events").exists() else None

    def memory_limit(self) -> int:
        """Return how many bytes it may use; 0: no limit."""
        return int(self._lowest(self.memory, _memory_limit))

    def cpu_limit(self) -> float:
        """Return how many CPUs it may use; 0: no limit."""
        return self._lowest(self._cpu, _cpu_limit)

    def _lowest(self, folder: Path | None, read: Callable[[Path], float]) -> float:
        found = [read(each) for each in self._upwards(folder)]
        return min((limit for limit in found if limit), default=0)

    def _upwards(self, folder: Path | None) -> Iterator[Path]:
        while folder is not None and folder != self._root.parent and self._root in (folder, *folder.parents):
            yield folder
            folder = folder.parent


class Confines(NamedTuple):
    """The limits of a process, and where its cgroup counts kills."""

    cpus: float
    """0: no limit."""
    memory: int
    """Bytes; 0: no limit."""
    cgroup: str
    """Folder of the cgroup that accounts its memory; empty if there is none."""
    kills: str
    """Its file that counts out-of-memory kills; empty if there is none."""

    @classmethod
    def of(cls, pid: int, root: Path = CGROUPS) -> Self:
        """Return those of a process; ``root`` as of `Cgroup`."""
        found = Cgroup(pid, root)
        files = (f"{found.memory}/{name}" for name in _KILLS)
        kills = next((path for path in files if _counted(path) is not None), "")
        return cls(found.cpu_limit(), found.memory_limit(), str(found.memory or ""), kills)

    def oom_kills(self) -> int | None:
        """Return what `oom_kills` returns of its cgroup."""
        return _counted(self.kills) if self.kills else None


def oom_kills(memory: Path | str | None) -> int | None:
    """Return the number of out-of-memory kills in a cgroup, the folder of which is given as `Cgroup.memory` has it.

    None if the kernel does not count them.
    """
    return next((count for name in _KILLS if (count := _counted(f"{memory}/{name}")) is not None), None)


def _counted(path: str) -> int | None:
    try:
        for line in read_file(path).splitlines():
            if line.startswith(b"oom_kill "):
                return int(line.split()[1])
    except (OSError, ValueError):
        pass
    return None


def _memory_limit(folder: Path) -> int:
    for name in ("memory.max", "memory.limit_in_bytes"):
        try:
            text = read_file(f"{folder}/{name}").strip()
            return int(text) if text != b"max" and int(text) < _NO_LIMIT else 0
        except (OSError, ValueError):
            continue
    return 0


def _cpu_limit(folder: Path) -> float:
    try:
        quota, period = read_file(f"{folder}/cpu.max").split()
        return int(quota) / int(period) if quota != b"max" else 0
    except (OSError, ValueError):
        pass
    try:
        limit = int(read_file(f"{folder}/cpu.cfs_quota_us")) / int(read_file(f"{folder}/cpu.cfs_period_us"))
    except (OSError, ValueError, ZeroDivisionError):
        return 0
    return max(limit, 0)
