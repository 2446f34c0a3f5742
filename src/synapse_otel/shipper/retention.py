"""What is kept of delivered runs, and for how long: the folder of all journals must not grow without bound."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Final

from synapse_otel.journal.folder import ALIVE_LOCK, SHIP_LOCK, read_run
from synapse_otel.journal.locks import FileLock, is_locked

KEPT_RUNS: Final = 100
"""Delivered runs that are kept, the newest; only what tells of them, as their segments are deleted at once."""
_LEFTOVER_SECONDS: Final = 3600.0


def delete_run(folder: Path) -> bool:
    """Delete the journal of a run that is complete; return False if it must stay: in use, or to be kept."""
    run = read_run(folder)
    if run is not None and run.keep:
        return False
    lock = FileLock(folder / SHIP_LOCK)
    try:
        if _is_alive(folder) or not lock.acquire():
            return False
        going = folder.with_name(f".{folder.name}.deleted")
        folder.rename(going)
        shutil.rmtree(going, ignore_errors=True)
    except FileNotFoundError:
        return True
    finally:
        lock.release()
    return True


def delete_leftovers(root: Path) -> None:
    """Delete folders whose making, or deleting, a process did not live to finish."""
    try:
        names = os.listdir(root)
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        folder = root / name
        if name.startswith(".") and folder.is_dir() and not folder.is_symlink():
            old = time.time() - folder.stat().st_mtime > _LEFTOVER_SECONDS
            if old and not _is_alive(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_alive(folder: Path) -> bool:
    try:
        return is_locked(folder / ALIVE_LOCK)
    except FileNotFoundError:
        return False
