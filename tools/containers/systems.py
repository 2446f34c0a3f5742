"""The unpacked Debian systems: one that the engine runs in, one that the Python image is made from."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.containers.errors import NoEngineError

TREE: Final = Path(__file__).parents[2]
UNSHARE: Final = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private")
"""What starts a command in namespaces of its own, all of whose processes end with it."""


@dataclass(frozen=True, slots=True)
class Systems:
    """Folders of unpacked systems."""

    engine: Path
    """Has Docker, compose, a static busybox."""
    python: Path
    """Has Python 3.13 alone."""


def cache_folder() -> Path:
    """Return the folder that everything of the project's is cached in; made if absent."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "synapse-otel"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def unpacked_systems() -> Systems:
    """Return the systems after unpacking what is absent, which takes minutes.

    Raises NoEngineError where this machine cannot unpack or run them.
    """
    _check_machine()
    command = ["sh", str(TREE / "tools" / "setup" / "containers.sh")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        said = "".join(_passed_on(process.stderr or []))
        folders = process.stdout.read().splitlines() if process.stdout else []
    if process.returncode:
        raise NoEngineError(_last_line(said).removeprefix("containers: "))
    engine, python = folders
    return Systems(Path(engine), Path(python))


def _passed_on(lines: Iterable[str]) -> Iterator[str]:
    """Show at once what takes minutes."""
    for line in lines:
        print(line, end="", file=sys.stderr, flush=True)
        yield line


def _check_machine() -> None:
    if sys.platform != "linux":
        raise NoEngineError("a Docker engine of our own runs on Linux only")
    if os.geteuid() != 0:
        raise NoEngineError("only root can start a Docker engine of its own")
    try:
        ended = subprocess.run([*UNSHARE, "true"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise NoEngineError("no command unshare here to give a Docker engine namespaces of its own") from None
    if ended.returncode:
        raise NoEngineError(f"this machine gives a Docker engine no namespaces of its own: {_last_line(ended.stderr)}")


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]
