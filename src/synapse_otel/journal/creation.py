"""Making a journal: its folder, which has everything in it before it has its name."""

from __future__ import annotations

import errno
import os
import secrets
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from time import time
from typing import Any

import msgspec

from synapse_otel.journal import writer
from synapse_otel.journal.files.descriptors import MappedFile, open_file
from synapse_otel.journal.files.locks import FileLock
from synapse_otel.journal.folder import (
    ALIVE_LOCK,
    RUN_FILE,
    SHIP_LOCK,
    STATE_FILE,
    Run,
    make_root,
    new_folder_name,
    segment_path,
)
from synapse_otel.journal.frames import FORMAT_VERSION, clean
from synapse_otel.journal.kept import with_room
from synapse_otel.journal.liveness import birth
from synapse_otel.journal.segment import AppendedSegment, MappedSegment, allocate, open_segment
from synapse_otel.journal.state_block import BLOCK_SIZE
from synapse_otel.journal.writer import JournalWriter


def create_journal(
    root: Path,
    name: str,
    resource: Mapping[str, Any],
    *,
    destination: str,
    budget: int,
    keep: bool = False,
    retain: bool = False,
    parent: str = "",
    continues: bool = False,
    journal_id: str | None = None,
    watched: str = "",
    self_telemetry: bool = True,
    meant_for: str = "",
) -> tuple[JournalWriter, memoryview]:
    """Create a journal below ``root``; return it, and the memory of its state block.

    Raises:
        OSError: the folder cannot be created or written, or the disk is full; nothing is left behind.
    """
    make_root(root)
    run = Run(
        journal=journal_id or secrets.token_hex(16),
        name=clean(name),
        created=time(),
        process=os.getpid(),
        destination=destination,
        keep=keep,
        retain=retain,
        parent=parent,
        continues=continues,
        version=FORMAT_VERSION,
        watched=clean(watched),
        self_telemetry=self_telemetry,
        birth=birth(),
        meant_for=clean(meant_for),
    )
    final = root / new_folder_name(name)
    making = root / f".{final.name}"
    making.mkdir(mode=0o700)
    alive = FileLock(making / ALIVE_LOCK)
    first: MappedSegment | AppendedSegment | None = None
    journal: JournalWriter | None = None
    try:
        alive.acquire()
        path = segment_path(making, 1)
        first = with_room(root, writer.SEGMENT_SIZE + BLOCK_SIZE, partial(open_segment, path, writer.SEGMENT_SIZE))
        state = _make_state(making / STATE_FILE)
        _write_private(making / RUN_FILE, msgspec.json.encode(run))
        _write_private(making / SHIP_LOCK, b"")  # here, as a shipper could not make it on a full disk
        journal = JournalWriter(final, run, resource, budget=budget, first=first, alive=alive)
        making.rename(final)
        alive.path = final / ALIVE_LOCK
        first.file.path = segment_path(final, 1)
    except BaseException:
        if journal is not None:
            journal.abandon()
        elif first is not None:
            first.abandon()
        for path in making.iterdir():
            path.unlink()
        making.rmdir()
        alive.release()
        raise
    return journal, state


def _make_state(path: Path) -> memoryview:
    descriptor = open_file(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    try:
        if not allocate(descriptor, BLOCK_SIZE):
            # Every page is written once, so that the file system has to find room for it now.
            if os.pwrite(descriptor, bytes(BLOCK_SIZE), 0) != BLOCK_SIZE:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if sys.platform.startswith("linux"):
                os.fsync(descriptor)
        return memoryview(MappedFile(descriptor, BLOCK_SIZE))
    finally:
        os.close(descriptor)


def _write_private(path: Path, data: bytes) -> None:
    descriptor = open_file(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
