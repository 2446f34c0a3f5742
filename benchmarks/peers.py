"""What somebody would use instead, beside our calls for the same, in the same run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from benchmarks.costs import measure, perf
from benchmarks.processes import TREE
from benchmarks.report import Table

PINS = TREE / "constraints" / "peers.txt"
PEERS = {
    "tqdm": {"tqdm.update": "set_progress"},
    "logging": {"logging to /dev/null": "log_message"},
    "logfire": {"logfire.info": "log", "logfire, 3 gauges": "set_metrics"},
    "wandb": {"wandb, 3 values": "set_metrics"},
    "tensorboardx": {"tensorboardX, 3 scalars": "set_metrics"},
    "mlflow": {"mlflow, 3 metrics": "set_metrics"},
}
"""By package, its calls, and which of ours does the same."""


def peers() -> Table:
    """Return the table of peers; one that cannot be installed or measured here is a row that says so."""
    python = environment()
    ours = measure()["synapse-otel"]
    rows = []
    for package, calls in PEERS.items():
        found = _measured(python, package)
        for call, same in calls.items():
            cost = found.get(call)
            shown = f"{cost:.2f}" if cost else "not to be had on this machine"
            rows.append((call, shown, f"`{same}`", f"{ours[same]:.2f}", f"{cost / ours[same]:.1f}" if cost else ""))
    head = ("instead", "µs", "synapse-otel", "µs", "times cheaper")
    notes = (
        f"Versions: {', '.join(_versions()) or 'none'}. Logfire has its whole pipeline, with an exporter that throws "
        "the batches away; wandb runs offline; MLflow writes to SQLite; tqdm and logging write to /dev/null."
    )
    return Table("peers", "What one would use instead", head, rows, notes)


def environment() -> Path:
    """Return the interpreter of an environment with the pinned peers, in the cache folder; laid out when needed.

    A package that has no wheel for this machine is left out, and tried again the next time.
    """
    if (python := laid_out()) is not None:
        return python
    folder = _folder()
    print(f"installing what {PINS.relative_to(TREE)} pins, once for these pins", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    uv, python = Path(sys.executable).with_name("uv"), folder / "bin" / "python"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    install = [str(uv), "pip", "install", "--quiet", "--only-binary", ":all:"]
    install += ["--python", str(python), "--constraints", str(PINS)]
    whole = True
    for package in ("pyperf", *(name for name in PEERS if name != "logging")):
        done = subprocess.run([*install, package], check=False, capture_output=True, text=True)
        if done.returncode:
            whole = False
            print(f"{package} cannot be installed: {done.stderr[-500:]}", file=sys.stderr)
    if whole:
        (folder / "whole").touch()
    return python


def laid_out() -> Path | None:
    """Return the interpreter of the environment with the pinned peers; None where it has not been laid out."""
    folder = _folder()
    return folder / "bin" / "python" if (folder / "whole").exists() else None


def _folder() -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "synapse-otel" / "bench"
    return base / sha256(PINS.read_bytes() + sys.version.encode()).hexdigest()[:16]


def _measured(python: Path, package: str) -> dict[str, float]:
    try:
        return perf([str(python), "-m", "benchmarks.run_peers", "--peer", package], processes=1)
    except RuntimeError as error:
        print(f"{package} could not be measured: {str(error).strip().splitlines()[-1]}", file=sys.stderr)
        return {}


def _versions() -> list[str]:
    lines = PINS.read_text(encoding="utf-8").splitlines()
    pins = dict(line.split(" ")[0].split("==", 1) for line in lines if "==" in line and not line.startswith(" "))
    return [f"{name} {version}" for name, version in pins.items() if name in PEERS]
