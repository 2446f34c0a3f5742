"""Locks over a fork: nobody is in the middle of a line then, and the child begins with locks that nobody holds."""

from __future__ import annotations

from threading import RLock
from typing import Final
from weakref import WeakSet

from synapse_otel._fork import Part, at_fork

_PATIENCE_SECONDS: Final = 1.0


class Forkable:
    """Has a lock that is held while the process forks, and is a new one in the child.

    Attributes:
        lock: held while something is written.
    """

    def __init__(self) -> None:
        self.lock = RLock()
        _known.add(self)

    def settle(self) -> None:
        """Write what was written in part: the process is about to fork, and the child writes to the same place."""


_known: WeakSet[Forkable] = WeakSet()
_held: list[Forkable] = []


def _hold() -> None:
    for each in list(_known):
        if each.lock.acquire(timeout=_PATIENCE_SECONDS):
            _held.append(each)
            each.settle()


def _release() -> None:
    while _held:
        _held.pop().lock.release()


def _renew() -> None:
    _held.clear()
    for each in list(_known):
        each.lock = RLock()


at_fork(Part.CONSOLE_LOCKS, _renew, before=_hold, after_in_parent=_release)
