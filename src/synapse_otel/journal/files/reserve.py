"""File descriptors in reserve: a process that has used up its limit can still begin a segment, or sync one."""

from __future__ import annotations

import os
from typing import Final

from synapse_otel._guard import raise_foreign
from synapse_otel.journal.files.descriptors import Identity, above_standard, identity_of

_NEEDED: Final = 2
"""A mapped file takes two."""


class ReserveDescriptors:
    """Reserve descriptors, which are released when others are needed; none at first."""

    def __init__(self) -> None:
        self._descriptors: list[int] = []
        self._identity: Identity | None = None
        """Of the pipe that they are the ends of: no other file is taken for it."""

    def take(self) -> None:
        """Take the missing ones, if the process's limit allows."""
        if len(self._descriptors) == _NEEDED:
            return
        self.release()
        try:
            self._descriptors.extend(os.pipe())
            self._identity = identity_of(self._descriptors[0])
            self._descriptors[:] = map(above_standard, self._descriptors)
        except OSError as error:
            raise_foreign(error)  # none is left now: the next call tries again

    def release(self) -> None:
        """Release them for good, or until the next `take`; not those that the host closed and another file got."""
        while self._descriptors:
            descriptor = self._descriptors.pop()
            if identity_of(descriptor) == self._identity:
                os.close(descriptor)

    def __enter__(self) -> None:
        """Release them for files that are opened in this context."""
        self.release()

    def __exit__(self, *_error: object) -> None:
        """Take others."""
        self.take()
