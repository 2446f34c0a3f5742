"""Many runs to be listed: ``python -m benchmarks.listing_runs BEGIN END`` records them, each by a process."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from benchmarks.far_side import far_side

RUNS: Final = 1_000
PENDING: Final = 50
"""The last ones of the runs are not delivered."""
PARAMS: Final = 20
METRICS: Final = 8
CALLS: Final = 3
_IMPORTED_ONCE: Final = (
    "loggers",
    "mapping.job",
    "runtime.job",
    "runtime.run_names",
    "sdk.install",
    "sdk.logger",
    "sdk.meter",
    "shipper.launch",
)
_OPTIMIZERS: Final = ("sgd", "adam", "adamw", "lion")


def params_of(number: int) -> dict[str, float | int | str]:
    """Return the parameters of one of the runs: numbers, and a few texts."""
    found: dict[str, float | int | str] = {"lr": 0.1 / (1 + number % 37), "optimizer": _OPTIMIZERS[number % 4]}
    found |= {f"param_{one:02}": (number * (one + 7)) % 101 / 10 for one in range(PARAMS - len(found))}
    return found


def one(number: int) -> None:
    """Record one run: a sweep's training."""
    import synapse_otel
    from synapse_otel.loggers import NoOpLogger

    with synapse_otel.job(
        "train",
        plugin="listed",
        version="1.0",
        name=f"sweep-{number:04}",
        tags=["sweep", f"seed-{number % 5}"],
        params=params_of(number),
        logger=NoOpLogger(),
    ) as ctx:
        for call in range(CALLS):
            ctx.set_progress(call + 1, CALLS)
            ctx.set_metrics({f"metric_{m}": (number * (m + 3)) % 997 / (call + 1) for m in range(METRICS)}, "val")
        ctx.log_message("done")


def record(root: Path) -> None:
    """Record the runs below a folder, and deliver all but some of them."""
    with far_side() as far:
        own = {
            "SYNAPSE_OTEL_JOURNAL_DIR": str(root),
            "SYNAPSE_OTEL_SHIPPER": "off",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{far.port}",
        }
        _run(own, sys.executable, "-m", "benchmarks.listing_runs", "0", str(RUNS - PENDING))
        _run(own, str(Path(sys.executable).with_name("synapse-otel")), "sync")
        _run(own, sys.executable, "-m", "benchmarks.listing_runs", str(RUNS - PENDING), str(RUNS))


def _run(variables: dict[str, str], *command: str) -> None:
    quiet = subprocess.DEVNULL
    subprocess.run(command, env={**os.environ, **variables}, check=True, stdout=quiet, stderr=quiet)


def main() -> None:
    """Record the runs one after the other: a run is the journal of a process, so each has one that is forked."""
    for name in _IMPORTED_ONCE:
        importlib.import_module(f"synapse_otel.{name}")
    running = 0
    for number in range(*map(int, sys.argv[1:])):
        child = os.fork()
        if not child:
            one(number)
            os._exit(0)
        running += 1
        if running == os.cpu_count():
            running -= _waited()
    while running:
        running -= _waited()


def _waited() -> int:
    _child, status = os.wait()
    if status:
        raise SystemExit(f"a run ended with {status}")
    return 1


if __name__ == "__main__":
    main()
