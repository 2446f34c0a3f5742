"""What was measured on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

from benchmarks.report import Table


def machine() -> Table:
    """Return the table of the machine."""
    rows = [
        ("processor", f"{_line('/proc/cpuinfo', 'model name') or platform.machine()}, {os.cpu_count()} cores"),
        ("memory", f"{int((_line('/proc/meminfo', 'MemTotal') or '0').split()[0]) / (1 << 20):.0f} GiB"),
        ("system", f"{platform.system()} {platform.release()}"),
        ("Python", platform.python_version()),
        ("OpenTelemetry SDK", version("opentelemetry-sdk")),
    ]
    return Table("machine", "Measured on", ("", ""), rows)


def _line(path: str, key: str) -> str:
    lines = Path(path).read_text(encoding="utf-8").splitlines() if Path(path).exists() else []
    found = next((line.partition(":")[2] for line in lines if line.startswith(key)), "")
    return " ".join(found.split())
