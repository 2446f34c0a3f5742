"""Whether ``synapse-otel view`` serves a page over a folder of journals, and its address.

The page's process holds a lock in the folder, which the kernel releases however it ends, and writes its address beside
it. The address has the page's token: both files are 0600.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from synapse_otel.journal.files.locks import FileLock, is_locked
from synapse_otel.journal.folder import is_own, replace_file

_LOCK: Final = "page.lock"
_ADDRESS: Final = "page"
_KNOWN: Final = re.compile(r"http://127\.0\.0\.1:\d+/\?token=[\w-]+")


@contextmanager
def serving(root: Path, address: str) -> Iterator[None]:
    """Tell others the address of the page that this process serves over ``root``, to the end of the block.

    It is not told if the folder does not exist or cannot be written, or another process serves a page over it.
    """
    lock = FileLock(root / _LOCK)
    told = root / _ADDRESS
    is_first = False
    with suppress(OSError):
        is_first = root.is_dir() and is_own(root) and lock.acquire()
        if is_first:
            told.unlink(missing_ok=True)  # of a page that was killed
            replace_file(told, address.encode())
    try:
        yield
    finally:
        if is_first:
            with suppress(OSError):
                told.unlink(missing_ok=True)
        lock.release()


def served_page(root: Path) -> str:
    """Return the address of the page that is served over a folder of journals, token included; empty if none is."""
    try:
        if is_own(root) and is_locked(root / _LOCK):
            address = (root / _ADDRESS).read_text()
            return address if _KNOWN.fullmatch(address) else ""
    except (OSError, ValueError):
        pass  # there is none, or it has ended in this moment
    return ""
