"""A disk that can lose its power: it keeps what was synced, and any part of what was not.

Files are real; what is watched are the calls that bring them to the disk. Of a file that was synced, the bytes as they
were then are safe; every page written since is there or not, by chance. A name that its folder has gained or lost
since the folder was synced is there or not, by chance too.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

PAGE = 4096


class Disk:
    """All below a folder. `chance` says yes or no wherever the power decides."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._fsync, self._fdatasync = os.fsync, os.fdatasync
        self._contents: dict[int, bytes] = {}
        """By inode, a file's bytes as they were synced last."""
        self._names: dict[int, dict[str, int]] = {}
        """By inode, a folder's names as they were synced last, and their inodes."""
        self._open: dict[int, int] = {}
        """By inode, a descriptor that keeps it from being used again."""
        self._losses = 0
        self._keep(os.open(base, os.O_RDONLY))
        self._names[base.stat().st_ino] = {}
        os.fsync, os.fdatasync = self._synced(self._fsync), self._synced(self._fdatasync)  # type: ignore[assignment]

    def close(self) -> None:
        os.fsync, os.fdatasync = self._fsync, self._fdatasync
        for descriptor in self._open.values():
            os.close(descriptor)

    # --- what is synced -------------------------------------------------------------------------------

    def _synced(self, call: Callable[[int], None]) -> Callable[[int], None]:
        def synced(descriptor: int) -> None:
            status = os.fstat(descriptor)
            self._keep(os.dup(descriptor))
            if stat.S_ISDIR(status.st_mode):
                self._names[status.st_ino] = self._listed(descriptor)
            else:
                self._contents[status.st_ino] = os.pread(descriptor, status.st_size, 0)

        return synced

    def _keep(self, descriptor: int) -> None:
        inode = os.fstat(descriptor).st_ino
        if inode in self._open:
            os.close(descriptor)
        else:
            self._open[inode] = descriptor

    def _listed(self, folder: int) -> dict[str, int]:
        """Return a folder's names; lock files are left out, as opening one would let go of its lock."""
        found = {}
        for name in os.listdir(folder):
            if not name.endswith(".lock"):
                descriptor = os.open(name, os.O_RDONLY, dir_fd=folder)
                found[name] = os.fstat(descriptor).st_ino
                self._keep(descriptor)
        return found

    # --- what is left ---------------------------------------------------------------------------------

    def lose_power(self, folder: Path, chance: Callable[[], bool]) -> Path:
        """Return a folder with what is left of one; nobody may hold anything in it."""
        self._losses += 1
        left = self._base / f"left-{self._losses}"
        left.mkdir()
        inode = folder.stat().st_ino
        self._keep(os.open(folder, os.O_RDONLY))
        self._rebuild(inode, left, chance)
        return left

    def _rebuild(self, inode: int, into: Path, chance: Callable[[], bool]) -> None:
        safe, current = self._names.get(inode, {}), self._listed(self._open[inode])
        for name in sorted(safe.keys() | current.keys()):
            before, after = safe.get(name), current.get(name)
            kept = before if before == after or chance() else after
            if kept is None:
                continue
            if stat.S_ISDIR(os.fstat(self._open[kept]).st_mode):
                (into / name).mkdir(mode=0o700)
                self._rebuild(kept, into / name, chance)
            else:
                (into / name).write_bytes(self._left_of(kept, chance))
        self._settle(into)

    def _left_of(self, inode: int, chance: Callable[[], bool]) -> bytes:
        descriptor = self._open[inode]
        now = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        safe = self._contents.get(inode, b"")
        if now == safe:
            return now
        size = len(safe) if chance() else len(now)
        pages = []
        for at in range(0, size, PAGE):
            old, new = (data[at : at + PAGE].ljust(PAGE, b"\0") for data in (safe, now))
            pages.append(old if old != new and chance() else new)
        return b"".join(pages)[:size]

    def _settle(self, folder: Path) -> None:
        """What the power has left is safe."""
        for path in folder.iterdir():
            if path.is_file():
                descriptor = os.open(path, os.O_RDONLY)
                os.fsync(descriptor)
                os.close(descriptor)
        descriptor = os.open(folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
