"""The table of measured costs in README.md: what `make bench` found, on which machine."""

from __future__ import annotations

import os
import platform
import re
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from tools.docs.blocks import ROOT
from tools.docs.markdown import code, table

_BLOCK: Final = re.compile(r"(?<=<!-- measured: costs -->\n).*?(?=<!-- end: costs -->)", re.DOTALL)


def write_costs(page: Path = ROOT / "README.md") -> str:
    """Measure, write the table into its block, and return it."""
    text = page.read_text(encoding="utf-8")
    measured = costs(import_module("benchmarks.costs").measure())
    page.write_text(_BLOCK.sub(lambda _: f"{measured}\n", text), encoding="utf-8")
    return measured


def costs(found: dict[str, dict[str, Any]]) -> str:
    """Return what was measured as a table, and where."""
    ours, stock = found["synapse-otel"], found["plain SDK"]
    rows = [
        (code(name), f"{stock[name]:.1f}", f"{cost:.1f}", f"{stock[name] / cost:.1f}") for name, cost in ours.items()
    ]
    head = ("call", "plain SDK, µs", "synapse-otel, µs", "times cheaper")
    return f"{table(head, rows)}\n\n{_machine()}"


def _machine() -> str:
    return (
        f"Measured by `make bench` with Python {platform.python_version()} on {os.cpu_count()} cores "
        f"({_processor()}), {platform.system()}."
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return " ".join(names[0].split()) if names else platform.machine()
