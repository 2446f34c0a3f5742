"""Where runs are looked for."""

from __future__ import annotations

from pathlib import Path

from synapse_otel.journal.folder import spare_roots
from synapse_otel.settings import Settings


def journal_roots(settings: Settings) -> list[Path]:
    """Return the folders that hold journals: the set one first, then those for when it cannot be written."""
    return [settings.journal_dir, *spare_roots()]
