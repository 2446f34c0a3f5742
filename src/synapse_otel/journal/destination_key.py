"""The secret for the destination keys in a user's journals: keys must not reveal anything about headers."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from synapse_otel.journal.files.descriptors import open_file
from synapse_otel.journal.folder import make_root, spare_roots

SALT_FILE: Final = "salt"


def read_salt(root: Path) -> bytes:
    """Return the secret of the journals below a folder; created when first needed.

    If ``root`` cannot be written, it is stored where the journals are stored instead.
    """
    for place in (root, *spare_roots()):
        try:
            make_root(place)
            return _read_or_make(place / SALT_FILE)
        except OSError:
            continue
    return b""


def _read_or_make(path: Path) -> bytes:
    """Return the content of a file; several processes that create it at once all get the same."""
    with suppress(FileNotFoundError):
        return path.read_bytes()
    making = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    descriptor = open_file(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))
            file.flush()
            os.fsync(file.fileno())  # without it, journals that wait would be for nobody
        try:
            os.link(making, path)
        except FileExistsError:
            pass  # another process was quicker
        except OSError:  # a file system without links
            making.replace(path)
    finally:
        making.unlink(missing_ok=True)
    return path.read_bytes()
