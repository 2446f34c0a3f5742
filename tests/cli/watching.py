"""Running ``synapse-otel`` as a process, with what it watches."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.runs.runs import COMMAND, environment

JOBS = Path(__file__).with_name("jobs.py")


def start(root: Path, *arguments: str, variables: Mapping[str, str] | None = None, **options: Any) -> Any:
    """Start ``synapse-otel`` with arguments."""
    given = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments], env=environment(root, **(variables or {})), **given
    )


def job(*arguments: str) -> list[str]:
    """Return the command of a job."""
    return [sys.executable, str(JOBS), *arguments]


def told(stderr: bytes) -> list[str]:
    """Return what ``synapse-otel`` itself has said."""
    return [line for line in stderr.decode().splitlines() if line.startswith("synapse-otel: ")]
