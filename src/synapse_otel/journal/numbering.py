"""Numbers that count the runs of a kind on this machine: ``train-cancer-7``."""

from __future__ import annotations

import os
from pathlib import Path

from synapse_otel.journal.files.descriptors import open_file
from synapse_otel.journal.folder import make_root, safe_name


def next_number(root: Path, kind: str) -> int:
    """Return the next number of a kind of runs, from 1 on; every caller gets another one, also in other processes.

    A number is the size of a file to which each caller appends a byte: the kernel does that and moves the caller's
    own offset in one step, so that there is no lock to wait for.

    Args:
        root: folder of all journals; the file is in it.
        kind: what the runs are called; kinds that differ in characters that no file name should have share numbers.

    Raises:
        OSError: the file cannot be written.
    """
    make_root(root)
    path = root / f".runs-{safe_name(kind)}"
    descriptor = open_file(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        os.write(descriptor, b".")
        return os.lseek(descriptor, 0, os.SEEK_CUR)
    finally:
        os.close(descriptor)
