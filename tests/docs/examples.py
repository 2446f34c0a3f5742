"""The blocks of code in the documentation, and the pieces of a page that are run together."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.docs import blocks

TREE = Path(__file__).parents[2]
PAGES = [*blocks.pages(TREE), TREE / "CONTRIBUTING.md", TREE / "SECURITY.md"]
RECIPES = TREE / "docs" / "how-to.md"
NOBODY = "http://127.0.0.1:9"
"""An address that refuses connections."""

FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_SECTION = re.compile(r"^(?=## )", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A block of code; ``name`` is the file that it is to be written to, if it says one."""

    language: str
    name: str
    text: str


@dataclass(frozen=True)
class Piece:
    """What is run together: a page, or one recipe of the page that holds recipes."""

    name: str
    blocks: list[Block]

    def of(self, language: str) -> list[Block]:
        return [block for block in self.blocks if block.language == language and block.name != "no-run"]


def blocks_of(text: str) -> list[Block]:
    found = []
    for match in FENCE.finditer(text):
        language, _, name = match["info"].strip().partition(" ")
        found.append(Block(language, name, match["text"]))
    return found


def pieces() -> Iterator[Piece]:
    for page in PAGES:
        name, text = page.relative_to(TREE).as_posix(), page.read_text(encoding="utf-8")
        if page == RECIPES:
            for section in _SECTION.split(text)[1:]:
                yield Piece(section.partition("\n")[0].lstrip("# "), blocks_of(section))
        else:
            yield Piece(name, blocks_of(text))


def run(command: list[str], folder: Path, **variables: str) -> str:
    """Run a command as a reader would who has synapse-otel installed; return what it printed."""
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join([str(folder), str(TREE / "src")]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONIOENCODING": "utf-8",
        "COLUMNS": "120",
        "SYNAPSE_OTEL_JOURNAL_DIR": str(folder / "journals"),
        "SYNAPSE_OTEL_SHIPPER": "off",
        "OTEL_EXPORTER_OTLP_ENDPOINT": NOBODY,
        "CI": "true",
        **variables,
    }
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=False)
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"
    return ended.stdout
