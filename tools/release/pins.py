"""The pins of a file in `constraints/`, and which of them need which."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

TREE: Final = Path(__file__).parents[2]
RUNTIME: Final = TREE / "constraints" / "runtime.txt"
JOBS: Final = TREE / "constraints" / "jobs.txt"
ROOT: Final = "synapse-otel"
VIEWERS: Final = frozenset({"anyio", "starlette", "textual", "uvicorn"})
"""Requirements that only `synapse-otel view` imports."""

_PIN: Final = re.compile(
    r"^(?P<text>(?P<name>[a-z0-9.-]+)==(?P<version>[^\s;]+)[^#\n]*(?:\n {4}--hash[^\n]*)*)\n {4}# via (?P<via>.*)$",
    re.MULTILINE,
)
_HEADER: Final = """# The pins of runtime.txt without what only `synapse-otel view` and OTLP over gRPC need. Written by
#    make lock
"""


@dataclass(frozen=True)
class Pin:
    """A package at its version, as a file of pins has it."""

    name: str
    version: str
    text: str
    """The lines of the file, with all hashes."""
    needed_by: tuple[str, ...]
    """Names of the packages that require it; `ROOT` is this one."""

    @property
    def hashes(self) -> list[str]:
        """The SHA-256 sums of the files that an installer accepts."""
        return re.findall(r"--hash=sha256:([0-9a-f]{64})", self.text)

    @property
    def requirement(self) -> str:
        """The pin and its marker, without hashes."""
        return self.text.partition("\\")[0].strip()


def read_pins(file: Path = RUNTIME) -> list[Pin]:
    """Return the pins of a file, in its order.

    Raises:
        ValueError: A line of the file is none that is understood.

    """
    text = file.read_text(encoding="utf-8")
    pins = [
        Pin(
            found["name"],
            found["version"],
            found["text"],
            tuple(name.removesuffix(" (pyproject.toml)") for name in found["via"].split(", ")),
        )
        for found in _PIN.finditer(text)
    ]
    lines = len(re.findall(r"^[^#\s]", text, re.MULTILINE))
    if lines != len(pins):
        raise ValueError(f"{file}: {lines} pins, of which {len(pins)} are understood")
    return pins


def jobs_pins() -> list[Pin]:
    """Return the pins of a container that only runs jobs: without extras, `VIEWERS`, and what only those need."""
    return needed_by(requirements() - VIEWERS)


def needed_by(names: Iterable[str]) -> list[Pin]:
    """Return the pins of these packages, and of all that they need."""
    pins = read_pins()
    kept, found = set(names), set[str]()
    while kept != found:
        found = set(kept)
        kept |= {pin.name for pin in pins if found.intersection(pin.needed_by)}
    return [pin for pin in pins if pin.name in kept]


def requirements() -> set[str]:
    """Return the names of the packages that the wheel requires, without its extras."""
    project = tomllib.loads((TREE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {Requirement(text).name for text in project["dependencies"]}


def jobs_file() -> str:
    """Return what `JOBS` is to hold."""
    pins = jobs_pins()
    kept = {ROOT, *(pin.name for pin in pins)}
    lines = (f"{pin.text}\n    # via {', '.join(name for name in pin.needed_by if name in kept)}\n" for pin in pins)
    return _HEADER + "".join(lines)
