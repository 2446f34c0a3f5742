"""Bringing files and the names in folders to the disk."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

from synapse_otel._guard import raise_foreign
from synapse_otel.journal.files.descriptors import open_file

NO_DESCRIPTOR: Final = frozenset({errno.EMFILE, errno.ENFILE})
"""Errors that mean only that too many files are open."""


def sync_file(path: Path) -> None:
    """Sync the bytes of a file to the disk, if the file still exists.

    Raises:
        OSError: the disk has failed, or the file cannot be opened.
    """
    try:
        descriptor = open_file(path, os.O_RDONLY)
    except FileNotFoundError:
        return  # delivered and deleted, or evicted
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Return when the names in a folder are on the disk, as far as its file system can do that."""
    try:
        descriptor = open_file(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise_foreign(error)
        if error.errno in NO_DESCRIPTOR:
            raise
        return  # deleted, or not to be read by this user
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise_foreign(error)  # a file system that knows no such thing; a disk that fails says so with its files
    finally:
        os.close(descriptor)
