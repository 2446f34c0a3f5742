"""Where failures of telemetry end: they never reach a job, but tests may ask to have them raised."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_raising: Final[list[bool]] = []


def contain(error: Exception) -> None:
    """Hold back a failure of telemetry, which its caller goes on to report; raise it where a test asks for that."""
    if _raising:
        raise error


@contextmanager
def raised() -> Iterator[None]:
    """Have failures of telemetry raised in the calls that they happen in, in every thread."""
    _raising.append(True)
    try:
        yield
    finally:
        _raising.pop()
