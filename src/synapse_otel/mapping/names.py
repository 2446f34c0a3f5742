"""Names that a job's author gives: of steps and events, and categories. The same in every signal."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Final

from synapse_otel.journal.state_block import slot_text
from synapse_otel.redaction import redact_text

_KEPT: Final = 1_000
_WIDEST: Final = 8
"""Bytes of a letter: of a lone surrogate, which is written as an escape, six."""


def shown_name(name: str) -> str:
    """Return a name for all signals: without secrets, and short enough for a slot of the state block."""
    return slot_text(redact_text(name))


class Names(dict[str, str]):
    """Cache of names, since every record with a category looks up its name."""

    def __init__(self, when_cut: Callable[[str, str], None]) -> None:
        super().__init__()
        self._when_cut = when_cut
        self._has_cut = False

    def __missing__(self, name: str) -> str:
        shown = shown_name(name)
        if len(self) < _KEPT:
            self[name] = self[shown] = shown
        whole = redact_text(name)
        if not self._has_cut and slot_text(whole, len(whole) * _WIDEST) != shown:
            self._has_cut = True
            self._when_cut(whole, shown)
        return shown


def free_name(name: str, taken: Container[str]) -> str:
    """Return a free name: ``a.b~2``, for the second of ``{"a": {"b": 1}, "a.b": 2}``."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}~{number}"
    return free
