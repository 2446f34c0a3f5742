"""Where runs are looked for, and what is left alone there."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from synapse_otel.cli.lines import tell
from synapse_otel.journal.folder import look_into, spare_roots
from synapse_otel.settings import Settings


def journal_roots(settings: Settings) -> list[Path]:
    """Return the folders that hold journals: the set one first, then those for when it cannot be written."""
    return [settings.journal_dir, *spare_roots()]


def readable_roots(settings: Settings) -> list[Path]:
    """Return those of them that can be looked into, and tell of the set one if it cannot.

    Raises:
        OSError: it cannot, and there are no others.
    """
    roots = journal_roots(settings)
    try:
        look_into(settings.journal_dir)
    except OSError as error:
        others = [root for root in roots[1:] if root.is_dir()]
        if not others:
            raise
        tell(f"{settings.journal_dir}: {error.strerror or error}; its runs are left out")
        return others
    return roots


def check_owner(settings: Settings) -> None:
    """Check that the folder of journals, if there is one, is the user's own.

    What delivers it writes into it, and its owner could not read that; and names destinations by a secret in it.

    Raises:
        PermissionError: it belongs to somebody else.
    """
    root = settings.journal_dir
    if root.exists() and not is_own(root):
        raise PermissionError(f"{root} belongs to another user and is not delivered")


def is_own(folder: Path) -> bool:
    """Say whether a folder is the user's own."""
    try:
        return folder.stat().st_uid == os.geteuid()
    except FileNotFoundError:
        return True


def foreign_runs(roots: Iterable[Path]) -> list[Path]:
    """Return the folders of other users below the folders of journals."""
    found: list[Path] = []
    for root in roots:
        if root.is_dir():
            found += [one for one in root.iterdir() if one.is_dir() and not is_own(one) and one.name[:1] != "."]
    return sorted(found)
