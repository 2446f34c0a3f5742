"""A file descriptor in reserve: a process that has used up its limit can still begin a segment, or sync one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from synapse_otel.contained import let_through


class SpareDescriptor:
    """A descriptor that is held only to be given up when another one is needed."""

    def __init__(self) -> None:
        self._descriptor: int | None = None
        self.take()

    def take(self) -> None:
        """Take one, if there is none and the process may have another."""
        if self._descriptor is None:
            try:
                self._descriptor = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            except OSError as error:
                let_through(error)  # none is left now: the next call tries again

    def release(self) -> None:
        """Give it up for good, or until the next `take`."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Give it up for what is opened meanwhile, and take another one afterwards."""
        self.release()
        try:
            yield
        finally:
            self.take()
