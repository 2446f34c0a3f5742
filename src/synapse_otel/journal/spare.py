"""File descriptors in reserve: a process that has used up its limit can still begin a segment, or sync one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from synapse_otel.contained import let_through

_NEEDED: Final = 2
"""A file that is mapped takes two."""


class SpareDescriptors:
    """Descriptors that are held only to be given up when others are needed; none at first."""

    def __init__(self) -> None:
        self._descriptors: list[int] = []

    def take(self) -> None:
        """Take those that are missing, as far as the process may have more."""
        try:
            while len(self._descriptors) < _NEEDED:
                self._descriptors.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        except OSError as error:
            let_through(error)  # none is left now: the next call tries again

    def release(self) -> None:
        """Give them up for good, or until the next `take`."""
        while self._descriptors:
            os.close(self._descriptors.pop())

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Give them up for what is opened meanwhile, and take others afterwards."""
        self.release()
        try:
            yield
        finally:
            self.take()
