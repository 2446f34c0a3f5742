"""What each call costs beside the plain SDK doing the same mapping, by pyperf, in processes that take turns."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import pyperf

from benchmarks.calls import CONTENDERS
from benchmarks.report import Bar, Table

BARS = {
    "set_progress": 100.0,
    "set_metrics": 45.0,
    "log": 45.0,
    "log_message": 45.0,
    "span": 2.5,
    "span, 5 attributes, 2 events": 2.5,
}
"""How many times cheaper than the plain SDK each call must be."""
ROUNDS = 2
"""The contenders take turns, so that a busy moment of the machine meets all of them."""
PYPERF = ("--quiet", "--copy-env", "--min-time", "0.05", "--warmups", "1", "--values", "5")


@cache
def measure() -> dict[str, dict[str, float]]:
    """Return, by contender and call, the median cost in microseconds: the best of its rounds."""
    return measure_with([sys.executable])


def measure_with(python: list[str]) -> dict[str, dict[str, float]]:
    """Do so with a Python that this command runs."""
    costs: dict[str, dict[str, float]] = {name: {} for name in CONTENDERS}
    for _ in range(ROUNDS):
        for contender, best in costs.items():
            command = [*python, "-m", "benchmarks.run_calls", "--contender", contender]
            for name, cost in perf(command, processes=2).items():
                best[name] = min(best.get(name, cost), cost)
    return costs


def perf(command: list[str], processes: int) -> dict[str, float]:
    """Run a pyperf script and return the medians that it measured, in microseconds.

    Raises:
        RuntimeError: it could not be run; the message is the end of what it said.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "found.json"
        settings = [*PYPERF, "--processes", str(processes), "--output", str(path)]
        done = subprocess.run([*command, *settings], check=False, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        found = pyperf.BenchmarkSuite.load(str(path)).get_benchmarks()
    return {benchmark.get_name(): benchmark.median() * 1e6 for benchmark in found}


def calls() -> Table:
    """Return the table of calls."""
    costs = measure()
    ours, stock, python = costs["synapse-otel"], costs["plain SDK"], costs["synapse-otel, in Python"]
    rows, bars = [], []
    for call, cost in ours.items():
        ratio, bar = stock[call] / cost, BARS.get(call)
        pure = f"{python[call]:.2f}", f"{stock[call] / python[call]:.1f}"
        rows.append((call, f"{stock[call]:.2f}", f"{cost:.2f}", f"{ratio:.1f}", f"{bar:g}" if bar else "", *pure))
        if bar:
            bars.append(Bar(f"`{call}`", _words(bar), _words(ratio), ratio >= bar))
    head = ("call", "plain SDK, µs", "synapse-otel, µs", "times cheaper", "bar", "in Python, µs", "times cheaper")
    notes = (
        f"Best of {ROUNDS} rounds in turn, each the median of pyperf. The plain SDK's figures hold what its calls cost "
        "their caller and, as it batches in a thread of the same process, what that thread takes from it meanwhile; "
        "its exporters throw everything away. Ours holds new segments and the deletion of the oldest ones. "
        "The last two columns are those of an installation without the compiled module."
    )
    return Table("calls", "Cost of a call", head, rows, notes, bars)


def _words(ratio: float) -> str:
    return f"{ratio:.1f} times cheaper" if ratio >= 1 else f"{1 / ratio:.2f} times as much"
