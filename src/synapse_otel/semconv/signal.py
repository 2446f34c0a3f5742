"""The signals of OpenTelemetry."""

from __future__ import annotations

from enum import IntEnum


class Signal(IntEnum):
    """The signals; each counts its records on its own and is delivered on its own."""

    LOGS = 0
    METRICS = 1
    TRACES = 2
