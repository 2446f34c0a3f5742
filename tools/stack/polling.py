"""Wait for something to become true, without guessing how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(attempt: Callable[[], T], timeout: float = 20.0, every: float = 0.1) -> T:
    """Call `attempt` until it returns something true and raises no AssertionError, and return that.

    `timeout` and `every` are seconds. At the deadline the last AssertionError is raised, or one that shows what
    `attempt` returned last. Any other error passes through at once.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            result = attempt()
            failure = AssertionError(f"after {timeout:g} s still {result!r}")
        except AssertionError as error:
            failure = error
        else:
            if result:
                return result
        if time.monotonic() >= deadline:
            raise failure
        time.sleep(every)
