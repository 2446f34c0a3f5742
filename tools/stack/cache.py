"""The folder that holds what was built, outside the tree, and the lock that keeps two builders apart."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/synapse-otel/stack`, in the home folder's `.cache` where that is not set; made if absent."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "synapse-otel" / "stack"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def build_lock(folder: Path) -> Iterator[None]:
    """Hold the one lock under which anything in `folder` is built; waits for another builder and says so."""
    with (folder / "build.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another build is running: waiting for it", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
