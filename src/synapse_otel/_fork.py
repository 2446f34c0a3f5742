"""What a fork does to a process that records: one hook, which calls its parts in the order of `Part`."""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import IntEnum
from typing import Final, NamedTuple


class Part(IntEnum):
    """The parts, in the order in which a fork calls them."""

    CONSOLE_LOCKS = 0
    """Held while the process forks, and new in the child."""
    STREAMS = 1
    """Bars on a terminal are the parent's; what the child prints is led around them."""
    TERMINALS = 2
    SCREENS = 3
    RUNTIME = 4
    """The child runs no job of its parent's."""
    TERMINATION = 5
    """The child dies of SIGTERM as it would without us."""
    RECORDER = 6
    """The child has a journal of its own."""


class _Calls(NamedTuple):
    before: Callable[[], None]
    after_in_parent: Callable[[], None]
    after_in_child: Callable[[], None]


def _nothing() -> None:
    """Stand in for what a part does not do."""


def at_fork(
    part: Part,
    after_in_child: Callable[[], None],
    *,
    before: Callable[[], None] = _nothing,
    after_in_parent: Callable[[], None] = _nothing,
) -> None:
    """Have a part called at each fork from now on; what it had called before is not called any more."""
    _parts[part] = _Calls(before, after_in_parent, after_in_child)


_parts: Final[dict[Part, _Calls]] = {}


def _before() -> None:
    for part in sorted(_parts):
        _parts[part].before()


def _after_in_parent() -> None:
    for part in sorted(_parts):
        _parts[part].after_in_parent()


def _after_in_child() -> None:
    for part in sorted(_parts):
        _parts[part].after_in_child()


os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
