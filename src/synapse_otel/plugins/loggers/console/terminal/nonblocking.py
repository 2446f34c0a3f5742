"""A file descriptor that is written to without waiting for ever: its reader may have stopped."""

from __future__ import annotations

import errno
import os
import select
from time import monotonic, sleep
from typing import Final

PATIENCE_SECONDS: Final = 5.0
_PIECE_BYTES: Final = 4096
"""PIPE_BUF of Linux: a pipe that takes anything takes this much at once."""
_KEPT_BYTES: Final = 1 << 20
_RETRY_SECONDS: Final = 0.001
_GONE: Final = frozenset({errno.EPIPE, errno.EIO, errno.ENXIO, errno.EBADF})
"""Nobody reads, and nobody will: the pipe's reader has ended, the terminal was closed."""


class NonBlockingOutput:
    """Writes in order, and keeps what a slow reader has not taken yet.

    A reader that takes nothing for `PATIENCE_SECONDS` is not waited for again until it reads; what comes meanwhile is
    kept up to 1 MiB, then counted, and the count is said when it reads on.

    Args:
        number: the file descriptor; non-blocking or not.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._poll = select.poll()
        self._poll.register(number, select.POLLOUT)
        self._rest = bytearray()
        self._missed = 0
        self._is_stuck = False
        self._is_gone = False

    def line(self, data: bytes) -> None:
        """Write a line.

        Raises:
            OSError: it cannot be written, though there may be a reader: a full disk.
        """
        if self._is_gone:
            return
        is_full = self._rest and len(self._rest) + len(data) > _KEPT_BYTES
        if data and is_full and not self.flush(0.0):
            self._missed += 1
        else:
            self._rest += self._note() + data
        self._is_stuck = not self.flush(0.0 if self._is_stuck and data else PATIENCE_SECONDS)

    def offer(self, data: bytes) -> bool:
        """Write without waiting, if there is space; return whether it was written or will be."""
        if self._is_gone or not self.flush(0.0) or not self._is_writable(0.0):
            return False
        self._rest += data
        self.flush(0.0)
        return True

    def close(self) -> int:
        """Write what is left, waiting once more; return how many lines nobody will have read."""
        self.line(b"")
        return self._missed + self._rest.count(b"\n")

    def flush(self, seconds: float) -> bool:
        """Write the rest, waiting at most so long for the reader; return whether nothing is left."""
        deadline = monotonic() + seconds
        while self._rest:
            if not self._is_writable(max(deadline - monotonic(), 0.0)):
                return False
            try:
                written = os.write(self._number, bytes(self._rest[:_PIECE_BYTES]))
            except BlockingIOError:  # there was room, and another writer took it, or it was too little
                if monotonic() >= deadline:
                    return False
                sleep(_RETRY_SECONDS)
                continue
            except OSError as error:
                self._rest.clear()
                self._is_gone = error.errno in _GONE
                if self._is_gone:
                    return True  # there is nobody left to show it to, or to tell
                raise
            del self._rest[:written]
        return True

    def _note(self) -> bytes:
        missed, self._missed = self._missed, 0
        return b"(%d lines are not shown: nobody read them)\n" % missed if missed else b""

    def _is_writable(self, seconds: float) -> bool:
        return bool(self._poll.poll(seconds * 1000))
