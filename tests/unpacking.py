"""Unpack an archive of the tests' own."""

from __future__ import annotations

import tarfile
from pathlib import Path


def unpack(archive: Path, to: Path) -> None:
    """Unpack it into a folder; Python has filters from 3.11.4 on, and warns without one from 3.12 on."""
    with tarfile.open(archive) as packed:
        if hasattr(tarfile, "data_filter"):
            packed.extractall(to, filter="data")
        else:
            packed.extractall(to)
