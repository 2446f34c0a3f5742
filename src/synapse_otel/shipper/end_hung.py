"""Ending a shipper that does not answer, so that another one can take its place."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from synapse_otel.journal.files.lock_holder import Holder, Role, place, read_holder, silent_seconds, started
from synapse_otel.journal.files.locks import is_locked
from synapse_otel.journal.folder import SHIP_LOCK, run_folders
from synapse_otel.shipper.configuration import lock_path

SILENT_SECONDS: Final = 30.0
"""A shipper gives a sign of life every second. A busy disk may delay it, but not for this long."""
TOLD_SECONDS: Final = 5.0
"""After this time the silence is reported; the shipper is ended later."""
_ENDING_SECONDS: Final = 1.0
_POLL_SECONDS: Final = 0.01


class Silent(NamedTuple):
    """A shipper that is alive, since it holds its locks, but gives no sign of life."""

    holder: Holder
    seconds: float

    def __str__(self) -> str:
        """Return a short description."""
        return f"{self.holder} has given no sign of life for {self.seconds:,.0f} s"


def silent_shippers(roots: Iterable[Path]) -> list[Silent]:
    """Return the live shippers below the folders of journals that give no sign of life, each once."""
    found: dict[tuple[int, str], Silent] = {}
    for lock in (lock for root in roots for lock in _locks(root)):
        silent = _silent(lock)
        if silent is not None:
            found.setdefault((silent.holder.process, silent.holder.place), silent)
    return list(found.values())


def silent_shipper(folder: Path, key: str) -> Silent | None:
    """Return the shipper of a journal and destination if it gives no sign of life."""
    return _silent(folder / SHIP_LOCK) or _silent(lock_path(folder.parent, key))


def end_silent(lock: Path) -> bool:
    """End the shipper that holds a lock, if it has given no sign of life for too long; return whether it has ended."""
    silent = _silent(lock)
    return silent is not None and silent.seconds >= SILENT_SECONDS and end(silent.holder) and _is_free(lock)


def end(holder: Holder) -> bool:
    """End a shipper's process, and no other; return whether it has ended.

    A shipper that was not started by a job, or is not visible from here, is not ended.
    """
    if holder.role is not Role.PROCESS or sys.platform != "linux" or not holder.started or holder.place != place():
        return False
    try:
        process = os.pidfd_open(holder.process)
    except OSError:
        return started(holder.process) != holder.started  # gone
    try:
        if started(holder.process) != holder.started:
            return True  # gone, and another process has its number
        signal.pidfd_send_signal(process, signal.SIGKILL)
        poll = select.poll()
        poll.register(process, select.POLLIN)
        return bool(poll.poll(_ENDING_SECONDS * 1000))
    except OSError:
        return False  # another user's
    finally:
        os.close(process)


def _locks(root: Path) -> Iterator[Path]:
    with suppress(OSError):
        yield from sorted(root.glob("shipper-*.lock"))
        yield from (folder / SHIP_LOCK for folder in run_folders(root))


def _silent(lock: Path) -> Silent | None:
    seconds = silent_seconds(lock)
    holder = read_holder(lock) if seconds >= TOLD_SECONDS else None
    if holder is None or (holder.role is Role.ONCE and seconds < SILENT_SECONDS):
        return None  # a `sync` gives a sign behind each request only
    return Silent(holder, seconds)


def _is_free(lock: Path) -> bool:
    """Wait for the kernel to release the lock of a dead process."""
    deadline = time.monotonic() + _ENDING_SECONDS
    with suppress(FileNotFoundError):
        while is_locked(lock):
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_SECONDS)
    return True
