"""`Finding`: what a check has found."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from synapse_otel.notices import Check


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"
    """Worth knowing, nothing to do."""
    WARNING = "warning"
    """Nothing is lost by it now; it may be later, or somebody looks in vain."""
    FAILURE = "failure"
    """Telemetry is not recorded, or does not arrive."""


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a check has found."""

    check: Check
    about: str
    """What it is about: a variable, a folder, a signal, a package."""
    level: Level
    text: str
    """What was found, on one line, without secrets."""
    advice: str = ""
    """What to do about it."""
    facts: dict[str, Any] = {}
    """The same for programs: numbers in seconds and bytes."""
