"""Wait for something to become true, by a deadline; never by guessing how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(attempt: Callable[[], T], within: float = 30.0, every: float = 0.01) -> T:
    """Call `attempt` until it returns something true, and return that; AssertionError after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        result = attempt()
        if result:
            return result
        assert time.monotonic() < deadline, f"after {within:g} s still {result!r}"
        time.sleep(every)
