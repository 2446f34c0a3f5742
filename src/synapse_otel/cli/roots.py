"""The folders in which runs are searched, and those that are skipped."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from synapse_otel.cli.lines import tell
from synapse_otel.journal.folder import is_own, look_into, spare_roots
from synapse_otel.settings import Settings


def journal_roots(settings: Settings) -> list[Path]:
    """Return the folders of journals: the configured one first, then the fallback folders."""
    return [settings.journal_dir, *spare_roots()]


def is_readable(root: Path) -> bool:
    """Return whether a folder of journals may be read; one that does not exist (yet) is empty."""
    try:
        look_into(root)
    except OSError:
        return False
    return True


def readable_roots(settings: Settings) -> list[Path]:
    """Return the folders of journals as `journal_roots` does, and report the configured one if it is not readable.

    Raises:
        OSError: none is readable.
    """
    roots = journal_roots(settings)
    try:
        look_into(settings.journal_dir)
    except OSError as error:
        if not any(root.is_dir() for root in roots[1:]):
            raise
        tell(f"{settings.journal_dir}: {error.strerror or error}; its runs are left out")
    return roots


def check_owner(settings: Settings) -> None:
    """Check that the folder of journals, if there is one, belongs to the user.

    A shipper writes files into it that its owner could not read, and uses a secret in it for destination keys.

    Raises:
        PermissionError: it belongs to another user.
    """
    root = settings.journal_dir
    if not is_own(root):
        raise PermissionError(f"{root} belongs to another user and is not delivered")


def foreign_runs(roots: Iterable[Path]) -> list[Path]:
    """Return the folders of other users below the folders of journals."""
    found: list[Path] = []
    for root in roots:
        if is_readable(root) and root.is_dir():
            found += [one for one in root.iterdir() if one.is_dir() and not is_own(one) and one.name[:1] != "."]
    return sorted(found)
