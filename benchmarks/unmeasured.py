"""When a benchmark could not be measured."""

from __future__ import annotations


class Unmeasured(RuntimeError):  # noqa: N818 - what it says of a benchmark
    """Something went otherwise than what was to be measured; the message says what."""
