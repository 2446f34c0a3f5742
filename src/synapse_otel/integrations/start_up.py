"""Imported by the package's ``.pth`` file when a Python process starts in which SYNAPSE_OTEL_INSTRUMENT is set."""

from __future__ import annotations

import sys

from synapse_otel.integrations.activation import activate

try:
    activate()
except Exception as error:  # noqa: BLE001 - whatever becomes of the telemetry, the program starts
    sys.stderr.write(f"synapse-otel: the Synapse SDK is not instrumented: {type(error).__name__}: {error}\n")
