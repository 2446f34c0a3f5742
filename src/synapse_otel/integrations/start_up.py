"""Imported by the package's ``.pth`` file when a Python process starts in which SYNAPSE_OTEL_INSTRUMENT is set."""

from __future__ import annotations

from synapse_otel.integrations.activation import activate
from synapse_otel.notices import say

try:
    activate()
except Exception as error:  # noqa: BLE001 - whatever becomes of the telemetry, the program starts
    say(f"the Synapse SDK is not instrumented: {type(error).__name__}: {error}")
