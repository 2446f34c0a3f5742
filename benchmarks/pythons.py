"""What a call costs on the oldest, a middle and the newest Python, beside the plain SDK on the same one."""

from __future__ import annotations

import subprocess
from pathlib import Path

from benchmarks.costs import BARS, measure_with
from benchmarks.report import Table
from benchmarks.unmeasured import Unmeasured

TREE = Path(__file__).parents[1]
VERSIONS = ("3.11", "3.13", "3.15")


def pythons() -> Table:
    """Return the table of Pythons."""
    found = {version: measure_with(_command(version)) for version in VERSIONS}
    rows = []
    for call in (*BARS,):
        cells = [call]
        for costs in found.values():
            stock, cost = costs["plain SDK"][call], costs["synapse-otel"][call]
            cells += [f"{cost:.2f}", f"{costs['synapse-otel, in Python'][call]:.2f}", f"{stock / cost:.1f}"]
        rows.append(tuple(cells))
    head = ("call", *(text for version in VERSIONS for text in (f"{version}, µs", "in Python, µs", "times cheaper")))
    notes = "As the table of calls; each Python's figures beside the plain SDK's on the same one."
    return Table("pythons", "Cost of a call on other Pythons", head, rows, notes)


def _command(version: str) -> list[str]:
    """Return what runs a Python of a version, in an environment of its own.

    Raises:
        Unmeasured: there is none here.
    """
    into = ["sh", "tools/setup/python.sh", version]
    folder = f".venv-{version}"
    made = subprocess.run([*into, "sh", "tools/setup/venv.sh", folder], cwd=TREE, check=False)
    if made.returncode or not (TREE / folder / "bin" / "python").exists():
        raise Unmeasured(f"there is no Python {version} here")
    return [*into, f"{folder}/bin/python"]
