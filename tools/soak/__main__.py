"""``python -m tools.soak [--seeds 1000] [--from 0] [--jobs 2]``: exits with 1 on a loss, and says how to repeat it."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tools.soak.soak import soak, table


def main() -> int:
    """Run the seeds, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.soak", description="Kill jobs and shippers; count losses.")
    parser.add_argument("--seeds", type=int, default=1000, help="how many (default: 1000)")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed (default: 0)")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once (default: 2)")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    outcomes = soak(range(chosen.first, chosen.first + chosen.seeds), folder, jobs=chosen.jobs, say=print)
    print(table(outcomes))
    wrong = [outcome for outcome in outcomes if outcome.found.wrong]
    if wrong:
        print(f"what they left is in {folder}; one again: python -m tools.soak --seeds 1 --from {wrong[0].seed}")
        return 1
    folder.rmdir()
    return 0


if __name__ == "__main__":
    sys.exit(main())
