"""``make bench``: what each call costs, beside the plain SDK, in one run on this machine."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pyperf
from rich.console import Console
from rich.table import Table

from benchmarks.calls import CONTENDERS

BARS = {"set_progress": 20, "set_metrics": 8, "log": 8, "log_message": 8}
"""How many times cheaper than the plain SDK each call must be."""
ROUNDS = 3
"""The contenders take turns, so that a busy moment of the machine meets all of them."""


def measure() -> dict[str, dict[str, float]]:
    """Return, by contender and call, the median cost in microseconds: the best of its rounds."""
    costs: dict[str, dict[str, float]] = {name: {} for name in CONTENDERS}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(ROUNDS):
            for contender, best in costs.items():
                path = Path(folder) / f"{contender}-{turn}.json"
                _run(contender, path)
                for benchmark in pyperf.BenchmarkSuite.load(str(path)).get_benchmarks():
                    name, cost = benchmark.get_name(), benchmark.median() * 1e6
                    best[name] = min(best.get(name, cost), cost)
    return costs


def _run(contender: str, path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.run_calls", "--contender", contender, "--output", str(path)]
    settings = ["--quiet", "--processes", "3", "--values", "5", "--warmups", "1", "--copy-env"]
    done = subprocess.run([*command, *settings], check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{contender} could not be measured:\n{done.stderr[-2000:]}")


def show(costs: dict[str, dict[str, float]]) -> bool:
    """Print the table; return whether every bar is met."""
    ours, stock = costs["synapse-otel"], costs["plain SDK"]
    table = Table(title="Cost of a call, in microseconds", caption=f"Python {sys.version.split()[0]}, best of {ROUNDS}")
    for column in ("call", "plain SDK", "synapse-otel", "times cheaper", "bar"):
        table.add_column(column, justify="left" if column == "call" else "right")
    met = True
    for call, cost in ours.items():
        ratio = stock[call] / cost
        bar = BARS.get(call)
        met &= bar is None or ratio >= bar
        table.add_row(call, f"{stock[call]:.2f}", f"{cost:.2f}", f"{ratio:.1f}", f"{bar}" if bar else "")
    Console().print(table)
    return met


if __name__ == "__main__":
    sys.exit(0 if show(measure()) else 1)
