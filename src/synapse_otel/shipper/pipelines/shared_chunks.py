"""Chunks of journals that several pipelines read: each is read and checked once, while they are at the same place."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from threading import Lock
from typing import Final

from synapse_otel.journal.reader import CHUNK, Chunk, Position, ReadAt, read_chunk
from synapse_otel.semconv.signal import Signal

SHARED_BYTES: Final = CHUNK + (CHUNK >> 2)
"""How much of journals is held at most for pipelines that have still to take it, whatever the number of journals."""
_CHUNK_BYTES: Final = 1 << 10
"""What a chunk takes besides its frames, about."""
_OTHERS: Final = len(Signal) - 1
_Key = tuple[Path, int, int, int, bytes]
"""Folder of a journal, number of a segment, offset, how much was asked for, and the kinds to skip."""


class SharedChunks:
    """Chunks that one pipeline has read and others have still to take, so that each is read and checked only once.

    It serves all pipelines of all journals of a process. What a pipeline has not taken until newer chunks need the
    room, as its backend is away, that pipeline reads again.
    """

    def __init__(self, limit: int = SHARED_BYTES) -> None:
        """Begin empty; so many bytes of journals are held at most."""
        self._lock = Lock()
        self._held = HeldChunks(limit)

    @property
    def held_bytes(self) -> int:
        """About how many bytes of journals are held."""
        return self._held.size

    def reader(self, folder: Path) -> ReadAt:
        """Return what reads the chunks of a journal, or knows them already."""
        return partial(self._read, folder)

    def _read(self, folder: Path, descriptor: int, at: Position, size: int, skip: bytes) -> Chunk:
        """Return a chunk as `read_chunk` does.

        One thread reads at a time: another one that asks for the same place gets what the first has read.
        """
        key = (folder, *at, size, skip)
        with self._lock:
            found = self._held.take(key)
            if found is None:
                found = read_chunk(descriptor, at, size, skip)
                self._held.put(key, found, takers=_OTHERS)
            return found

    def forget(self, folder: Path) -> None:
        """Forget what is held of a journal."""
        with self._lock:
            self._held.forget(folder)


class HeldChunks:
    """Chunks until each taker has taken them, the newest ones alone where there is no room for all."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._chunks: dict[_Key, tuple[Chunk, int]] = {}
        """By place: a chunk, and how many have still to take it; the oldest first."""
        self.size = 0
        """Bytes of journals in them, and what an empty one would take."""

    def put(self, key: _Key, chunk: Chunk, takers: int) -> None:
        """Hold a chunk for so many takers, unless there is nothing in it."""
        if chunk.bare and key not in self._chunks:
            self._chunks[key] = chunk, takers
            self.size += len(chunk.data) + _CHUNK_BYTES
            while self.size > self._limit:
                self._drop(next(iter(self._chunks)))

    def take(self, key: _Key) -> Chunk | None:
        """Return a chunk, if it is held."""
        chunk, left = self._chunks.get(key, (None, 0))
        if chunk is not None:
            self._chunks[key] = chunk, left - 1
            if left == 1:
                self._drop(key)
        return chunk

    def forget(self, folder: Path) -> None:
        """Drop what is held of a journal."""
        for key in [key for key in self._chunks if key[0] == folder]:
            self._drop(key)

    def _drop(self, key: _Key) -> None:
        chunk, _left = self._chunks.pop(key)
        self.size -= len(chunk.data) + _CHUNK_BYTES
