"""Text of anything: bounded, and never an exception."""

from __future__ import annotations

from functools import partial
from time import gmtime, strftime
from typing import Any, Final

from synapse_otel._guard import guarded

TEXT_LIMIT: Final = 16_384
"""Characters of a text; a longer one is cut, and says so."""


def cut(text: str, limit: int = TEXT_LIMIT) -> str:
    """Return ``text``, at most ``limit`` characters of it and a mark that says how long it was."""
    return text if len(text) <= limit else f"{text[:limit]}... [cut: {len(text)} characters]"


def one_line(text: str, limit: int) -> str:
    """Return ``text`` on one line, without characters that cannot be shown, at most ``limit`` characters of it."""
    line = " ".join(text.split())
    shown = line if line.isprintable() else "".join(filter(str.isprintable, line)).strip()
    return shown if len(shown) <= limit else f"{shown[: limit - 3]}..."


def described(value: object, form: Any = repr) -> str:
    """Return the repr of anything, within the limit; of an object whose repr fails, its type."""
    return guarded(lambda: cut(form(value)), otherwise=partial(unprintable, value))


def unprintable(value: object, error: Exception) -> str:
    """Return what stands for a value whose text cannot be had."""
    return f"<{type(value).__name__}, unprintable: {type(error).__name__}>"


def counted(count: int, thing: str, many: str = "") -> str:
    """Return a number with what it counts: ``1 run``, ``2,000 runs``; ``many`` where the plural has no ``s``."""
    return f"{count:,} {thing if count == 1 else many or thing + 's'}"


def titled(kind: str, text: str) -> str:
    """Return what is said of an exception: its class, and its text if it has one."""
    return f"{kind}: {text}" if text else kind


def iso_time(nanoseconds: int) -> str:
    """Return a Unix time in ns as ISO 8601 in UTC, to the nanosecond.

    Raises:
        OverflowError, OSError, ValueError: no calendar has it.
    """
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{strftime('%Y-%m-%dT%H:%M:%S', gmtime(seconds))}.{rest:09d}Z"
