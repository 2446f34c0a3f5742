"""Generated blocks in Markdown files: what stands between ``<!-- generated: name -->`` and ``<!-- end: name -->``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
_BLOCK: Final = re.compile(
    r"^<!-- generated: (?P<name>[a-z-]+) -->\n(?P<text>.*?)^<!-- end: (?P=name) -->$", re.MULTILINE | re.DOTALL
)
_BEGIN: Final = re.compile(r"^<!-- generated: ([a-z-]+) -->$", re.MULTILINE)

Generators = Mapping[str, Callable[[], str]]


def pages(root: Path = ROOT) -> list[Path]:
    """Return README.md and every page below docs/."""
    return [root / "README.md", *sorted((root / "docs").rglob("*.md"))]


def renewed(text: str, generators: Generators) -> str:
    """Return a page with its generated blocks made anew.

    Raises:
        ValueError: a block has no end, or a name that nothing generates.
    """
    begun, ended = _BEGIN.findall(text), [match["name"] for match in _BLOCK.finditer(text)]
    if begun != ended:
        raise ValueError(f"blocks {begun} begin, {ended} end")
    if unknown := set(begun) - set(generators):
        raise ValueError(f"nothing generates {', '.join(sorted(unknown))}")
    return _BLOCK.sub(lambda match: _block(match["name"], generators[match["name"]]()), text)


def names(text: str) -> list[str]:
    """Return the names of a page's generated blocks."""
    return _BEGIN.findall(text)


def changed(generators: Generators, root: Path = ROOT) -> Iterator[tuple[Path, str]]:
    """Yield each page whose blocks are not what they should be, and its text as it should be.

    Raises:
        ValueError: a block has no end, or a name that nothing generates; the message names the page.
    """
    for page in pages(root):
        text = page.read_text(encoding="utf-8")
        try:
            wanted = renewed(text, generators)
        except ValueError as error:
            raise ValueError(f"{page.relative_to(root)}: {error}") from error
        if wanted != text:
            yield page, wanted


def _block(name: str, text: str) -> str:
    return f"<!-- generated: {name} -->\n{text.strip()}\n<!-- end: {name} -->"
