"""A job's processes on Linux: finds a process's children by reading a few small files for each.

A process is identified by its id and start time, so that another one with the same id is never mistaken for it.
"""

from __future__ import annotations

import os
from pathlib import Path
from time import time
from typing import Final, NamedTuple

from synapse_otel.shipper.usage.reading import TreeReading

PROC: Final = Path("/proc")
MOST_THREADS: Final = 32
"""Children of so many threads of a process are read at a time; with more threads, in turn."""
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_LARGE: Final = 1 << 16
_KIBIBYTE: Final = 1024


class _Stat(NamedTuple):
    lives: bool
    user: int
    """Clock ticks, children that were waited for among them, as all of these."""
    system: int
    threads: int
    started: int
    """Clock ticks since the machine was started."""


class _Process(NamedTuple):
    stat: _Stat
    resident: int
    """Bytes in memory..."""
    highest: int
    """... and the most there ever were."""
    moved: tuple[int, int] | None
    """Bytes read from and written to disks; None if it may not be read."""


class ProcTree:
    """The processes of a job, read from ``/proc``."""

    def __init__(self, root: int, proc: Path = PROC) -> None:
        """Begin with a process.

        Args:
            root: its id.
            proc: mount point of the proc file system.

        Raises:
            OSError: it is not visible.
        """
        self.root = root
        self._proc = proc
        ticks = self._stat(root).started
        self.started = int((time() - _uptime(proc) + ticks / _TICKS) * 1e9)
        self._members = {root: ticks}
        """By number, when it began."""
        self._seen: dict[int, _Process] = {}
        self._turn = 0

    def read(self) -> TreeReading | None:
        """Return their usage; None if the root has ended."""
        members: dict[int, int] = {}
        seen: dict[int, _Process] = {}
        todo = dict(self._members)  # a descendant stays one, even if its parent has exited
        self._turn += 1
        while todo:
            # Parents first: what a child takes to its parent, as it ends in between, is missed once, not counted twice.
            pid = next(iter(todo))
            known = todo.pop(pid)
            try:
                stat = self._stat(pid)
                if known and stat.started != known:
                    continue
                seen[pid] = self._process(pid, stat)
                children = self._children(pid, stat.threads) if stat.lives else []
            except (OSError, ValueError, IndexError):
                continue  # it has ended between two looks
            members[pid] = stat.started
            todo.update({child: 0 for child in children if child not in members and child not in todo})
        if self.root not in seen or not seen[self.root].stat.lives:
            return None
        memory = sum(process.resident for process in seen.values())
        above = max(self._above(pid, process) for pid, process in seen.items())
        self._members, self._seen = members, seen
        return TreeReading(
            sum(process.stat.user for process in seen.values()) / _TICKS,
            sum(process.stat.system for process in seen.values()) / _TICKS,
            memory,
            memory + above,
            frozenset(pid for pid, process in seen.items() if process.stat.lives),
            *self._disk(),
        )

    def _stat(self, pid: int) -> _Stat:
        fields = read_file(f"{self._proc}/{pid}/stat").rpartition(b")")[2].split()
        user, system, of_children, system_of_children = (int(field) for field in fields[11:15])
        lives = fields[0] not in b"XZ"  # one that has ended, of which its parent has not heard, still has its counters
        return _Stat(lives, user + of_children, system + system_of_children, int(fields[17]), int(fields[19]))

    def _process(self, pid: int, stat: _Stat) -> _Process:
        resident, highest = self._memory(pid)
        moved = self._moved(pid)
        if moved is None and not stat.lives and pid in self._seen:
            moved = self._seen[pid].moved
        return _Process(stat, resident, highest, moved)

    def _above(self, pid: int, process: _Process) -> int:
        """Return how much more memory a process held since it was last read than it does now."""
        known = self._seen.get(pid)
        return process.highest - process.resident if known and process.highest > known.highest else 0

    def _disk(self) -> tuple[int, int] | tuple[None, None]:
        moved = [process.moved for process in self._seen.values() if process.moved is not None]
        if len(moved) < len(self._seen):
            return None, None
        return sum(read for read, _ in moved), sum(written for _, written in moved)

    def _memory(self, pid: int) -> tuple[int, int]:
        """Return the resident memory of a process, and its peak."""
        status = read_file(f"{self._proc}/{pid}/status")
        resident = _number(status, b"\nVmRSS:") * _KIBIBYTE
        return resident, max(_number(status, b"\nVmHWM:") * _KIBIBYTE, resident)

    def _children(self, pid: int, threads: int) -> list[int]:
        if threads == 1:
            return _numbers(f"{self._proc}/{pid}/task/{pid}/children")
        names = os.listdir(f"{self._proc}/{pid}/task")
        if len(names) > MOST_THREADS:
            first = self._turn * MOST_THREADS % len(names)
            names = [str(pid), *(names + names)[first : first + MOST_THREADS]]
        return [child for name in names for child in _numbers(f"{self._proc}/{pid}/task/{name}/children")]

    def _moved(self, pid: int) -> tuple[int, int] | None:
        """Return the bytes that a process has read from and written to disks; None if they may not be read."""
        try:
            told = read_file(f"{self._proc}/{pid}/io")
        except OSError:
            return None
        return _number(told, b"\nread_bytes:"), _number(told, b"\nwrite_bytes:")


def tells_children(proc: Path = PROC) -> bool:
    """Return whether the kernel lists a process's children, and ``/proc`` belongs to this PID namespace."""
    own = os.getpid()
    try:
        return os.readlink(proc / "self") == str(own) and (proc / f"{own}/task/{own}/children").exists()
    except OSError:
        return False


def parents(pid: int, proc: Path = PROC) -> list[int]:
    """Return the visible ancestors of a process, the nearest first."""
    found: list[int] = []
    while pid > 1 and len(found) < _DEEPEST:
        try:
            pid = int(read_file(f"{proc}/{pid}/stat").rpartition(b")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            break
        found.append(pid)
    return found


def read_file(path: str) -> bytes:
    """Return the content of a small system file.

    Raises:
        OSError: it does not exist, or this user may not read it.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _LARGE)
    finally:
        os.close(descriptor)


def _number(text: bytes, key: bytes) -> int:
    """Return the number after a key at the beginning of a line; 0 if the key is missing."""
    at = text.find(key)
    return int(text[at + len(key) : at + len(key) + _DIGITS].split(None, 1)[0]) if at >= 0 else 0


def _numbers(path: str) -> list[int]:
    try:
        return [int(number) for number in read_file(path).split()]
    except FileNotFoundError:
        return []  # the thread has ended
    except ProcessLookupError:
        return []


def _uptime(proc: Path) -> float:
    return float(read_file(f"{proc}/uptime").split()[0])


_DEEPEST: Final = 64
_DIGITS: Final = 40
