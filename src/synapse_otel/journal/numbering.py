"""Numbers that count the runs of a kind on this machine: ``train-cancer-7``."""

from __future__ import annotations

import os
import struct
from hashlib import blake2b
from pathlib import Path
from typing import Final

from synapse_otel.journal.files.descriptors import open_file
from synapse_otel.journal.folder import make_root, safe_name

_KNOWN: Final = struct.Struct("<8sI")
"""Digest of a job's id, and the number of its first run."""


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
    return _append(root / f".runs-{safe_name(kind)}", b".")


def number_of(root: Path, kind: str, job: str) -> int:
    """Return the number of a job's runs: the next one of the kind at its first attempt, and the same at each later one.

    Numbers stand in a file to which the first attempt appends; of several that begin at once, the first in it counts.

    Args:
        root: folder of all journals; the file is in it.
        kind: what the runs are called.
        job: the job's id, on any number of lines.

    Raises:
        OSError: the file cannot be read or written.
    """
    make_root(root)
    path = root / f".jobs-{safe_name(kind)}"
    digest = blake2b(job.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    found = _number_in(path, digest)
    if found is None:
        _append(path, _KNOWN.pack(digest, next_number(root, kind)))
        found = _number_in(path, digest)
    if found is None:
        raise OSError(f"{path} does not hold what was written to it")
    return found


def _number_in(path: Path, digest: bytes) -> int | None:
    try:
        descriptor = open_file(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        data = file.read() or b""
    whole = len(data) - len(data) % _KNOWN.size
    return next((number for known, number in _KNOWN.iter_unpack(data[:whole]) if known == digest), None)


def _append(path: Path, data: bytes) -> int:
    """Append to a file, and return its size behind what was appended."""
    descriptor = open_file(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        os.write(descriptor, data)
        return os.lseek(descriptor, 0, os.SEEK_CUR)
    finally:
        os.close(descriptor)
