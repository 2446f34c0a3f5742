"""``python -m tools.pull_plug [--seconds 60] [--rate 2000] [FAULT ...]``: exits with 1 where a record is lost."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools.pull_plug.faults import FAULTS, MAY_LOSE
from tools.pull_plug.tiers import running_tiers, small_disk
from tools.pull_plug.trial import Outcome, trial

_DISK_MEBIBYTES = 256
_QUEUE_BYTES = 8 << 20
"""Small, so that it becomes full."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the faults one after the other, print the table, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.pull_plug", description="Pull the plug; count losses.")
    parser.add_argument("faults", nargs="*", metavar="FAULT", help=f"{'; '.join(FAULTS)}; all if none is given")
    parser.add_argument("--seconds", type=float, default=60, help="that each lasts (default: 60)")
    parser.add_argument("--rate", type=int, default=2000, help="log records a second (default: 2000)")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.faults) - FAULTS.keys():
        parser.error(f"no such fault: {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}")
    outcomes = []
    with (
        tempfile.TemporaryDirectory(prefix="pull-plug-", ignore_cleanup_errors=True) as made,
        small_disk(Path(made) / "queues", _DISK_MEBIBYTES) as mounted,
        running_tiers(Path(made), Path(made) / "queues", queue_bytes=_QUEUE_BYTES) as tiers,
    ):
        for name in chosen.faults or FAULTS:
            if name == "disk full" and not mounted:
                print(f"{name}: left out, no file system can be mounted here (that takes root)", file=sys.stderr)
                continue
            outcomes.append(trial(name, tiers, FAULTS[name], seconds=chosen.seconds, rate=chosen.rate))
            print("; ".join(outcomes[-1].wrong) or f"{name}: nothing lost", file=sys.stderr, flush=True)
    print(table(outcomes))
    return 1 if any(outcome.wrong and outcome.fault not in MAY_LOSE for outcome in outcomes) else 0


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
