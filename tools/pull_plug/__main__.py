"""``python -m tools.pull_plug [--through | --kafka] [--beside PYTHON] [FAULT ...]``: 1 on a loss."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tools.pull_plug.drill import drill
from tools.pull_plug.faults import FAULTS, KAFKA_FAULTS, MAY_LOSE
from tools.pull_plug.tiers import Between, running_broker, running_tiers, small_disk
from tools.pull_plug.trial import Outcome, trial

_DISK_MEBIBYTES = 256
_QUEUE_BYTES = 8 << 20
"""Small, so that it becomes full."""
DRILL = "drill"
"""The fault that takes away everything in turn."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the faults one after the other, print the table, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.pull_plug", description="Pull the plug; count losses.")
    known = dict.fromkeys([*FAULTS, *KAFKA_FAULTS, DRILL])
    which = f"{'; '.join(known)}; all but the drill if none is given"
    parser.add_argument("faults", nargs="*", metavar="FAULT", help=which)
    parser.add_argument("--seconds", type=float, default=60, help="that each lasts (default: 60)")
    parser.add_argument("--rate", type=int, default=2000, help="log records a second (default: 2000)")
    parser.add_argument("--through", action="store_true", help="with tiers that keep nothing (default: on their disks)")
    parser.add_argument("--kafka", action="store_true", help="with a broker between the tiers (default: without)")
    beside = (
        "of an environment with another release of this package: a second job, in the same folder (may be repeated)"
    )
    parser.add_argument("--beside", action="append", default=[], metavar="PYTHON", help=beside)
    chosen = parser.parse_args(arguments)
    keep = "through" if chosen.through else "disk"
    may_lose = frozenset() if chosen.through else MAY_LOSE
    in_turn = KAFKA_FAULTS if chosen.kafka else FAULTS
    faults = {**in_turn, DRILL: drill}
    if unknown := set(chosen.faults) - faults.keys():
        parser.error(f"no such fault: {', '.join(sorted(unknown))}; there are {', '.join(faults)}")
    outcomes = []
    with (
        tempfile.TemporaryDirectory(prefix="pull-plug-", ignore_cleanup_errors=True) as made,
        small_disk(Path(made) / "queues", _DISK_MEBIBYTES) as mounted,
        _between(Path(made), wanted=chosen.kafka) as between,
        running_tiers(Path(made), Path(made) / "queues", queue_bytes=_QUEUE_BYTES, keep=keep, between=between) as tiers,
    ):
        for name in chosen.faults or in_turn:
            if "disk full" in name and not mounted:
                print(f"{name}: left out, no file system can be mounted here (that takes root)", file=sys.stderr)
                continue
            pythons = [sys.executable, *chosen.beside]
            outcomes.append(trial(name, tiers, faults[name], seconds=chosen.seconds, rate=chosen.rate, pythons=pythons))
            print("; ".join(outcomes[-1].wrong) or f"{name}: nothing lost", file=sys.stderr, flush=True)
    print(table(outcomes))
    return 1 if any(outcome.wrong and outcome.fault not in may_lose for outcome in outcomes) else 0


@contextmanager
def _between(folder: Path, *, wanted: bool) -> Iterator[Between | None]:
    if not wanted:
        yield None
        return
    with running_broker(folder / "broker") as broker:
        between = Between(broker, "plug")
        between.create_topics()
        yield between


def table(outcomes: Sequence[Outcome]) -> str:
    """Return what became of each trial's records, as a table in Markdown."""
    lines = ["| fault | records | lost | repeated | all there after | wrong |", "|---|---:|---:|---:|---:|---|"]
    lines += [
        f"| {one.fault} | {one.made:,} | {one.lost:,} | {one.repeated:,} | {one.recovery_seconds:.1f} s "
        f"| {'; '.join(one.wrong) or '-'} |"
        for one in outcomes
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
