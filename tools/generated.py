"""Files of the repository that are made from others: written, or compared."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]


def write(files: Iterable[tuple[Path, str]], *, check: bool) -> int:
    """Write each file that is not what it should be, and print its name.

    Args:
        files: Path and text of each.
        check: Write nothing; only print what differs.

    Returns:
        The exit status of a command: 1 where ``check`` found a difference.
    """
    status = 0
    for path, text in files:
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if check:
            print(f"{_shown(path)}: is not up to date; `make docs` writes it")
            status = 1
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"{_shown(path)} written")
    return status


def _shown(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
