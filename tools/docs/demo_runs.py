"""Real runs of the demo for the pictures: one good, one failed, one killed, and one that is live."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tools.docs.blocks import ROOT

COMMAND: Final = """
from synapse_otel.journal import folder
folder.spare_roots = list  # what other jobs of this machine have left is not to be seen
from synapse_otel.cli import main
main()
"""
"""`synapse-otel`, for these runs alone."""
_DEMO: Final = ROOT / "examples" / "digits_demo.py"


def make_runs(journals: Path) -> None:
    """Run the demo killed, with a failure, and well.

    Raises:
        RuntimeError: it does not end as it is asked to; the message holds what it said.
    """
    for arguments, expected in ((["--kill"], 0), (["--fail", "evaluate"], 1), ([], 0)):
        make_run(journals, *arguments, expected=expected)


def make_run(journals: Path, *arguments: str, expected: int = 0, **variables: str) -> str:
    """Run the demo with these variables, too, and return its job's id.

    Raises:
        RuntimeError: it does not end with the status `expected`; the message holds what it said.
    """
    ended = subprocess.run(
        _demo(journals, *arguments), env=environment(journals) | variables, capture_output=True, text=True, check=False
    )
    found = re.search(r"\bdemo-\w+", ended.stdout)
    if ended.returncode != expected or not found:
        raise RuntimeError(f"the demo {arguments} ended with {ended.returncode}:\n{ended.stdout}\n{ended.stderr}")
    return found[0]


@contextmanager
def live_run(journals: Path) -> Iterator[None]:
    """Run the demo meanwhile, and to its end: killed, it would leave a shipper behind that goes on trying."""
    running = subprocess.Popen(_demo(journals), env=environment(journals), stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        running.wait()


@contextmanager
def served(journals: Path) -> Iterator[str]:
    """Serve the page, and give its address.

    Raises:
        RuntimeError: it tells none.
    """
    arguments = [sys.executable, "-c", COMMAND, "view", "--no-browser", "--port", "0"]
    process = subprocess.Popen(arguments, env=environment(journals), stdout=subprocess.PIPE, text=True)
    try:
        found = re.search(r"http://\S+", process.stdout.readline() if process.stdout else "")
        if not found:
            raise RuntimeError("synapse-otel view tells no address")
        yield found.group()
    finally:
        process.kill()
        process.communicate()


def environment(journals: Path) -> dict[str, str]:
    """Return the variables of whoever looks at these journals, with nothing of the user's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "SYNAPSE_", "CI"))}
    return {**kept, "PYTHONPATH": str(ROOT / "src"), "SYNAPSE_OTEL_JOURNAL_DIR": str(journals), "TZ": "UTC"}


def _demo(journals: Path, *arguments: str) -> list[str]:
    return [sys.executable, str(_DEMO), "--journal", str(journals), *arguments]
