"""The command ``synapse-otel``."""

from __future__ import annotations

from synapse_otel.cli.app import main

__all__ = ["main"]
