"""`python -m tools.release`: `jobs` writes `constraints/jobs.txt`, `bom FOLDER` the bill of materials."""

from __future__ import annotations

import argparse
from pathlib import Path

from synapse_otel._version import __version__
from tools.release.bill import bill
from tools.release.pins import JOBS, jobs_file


def main() -> None:
    """Write what the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m tools.release", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("jobs", help="write constraints/jobs.txt")
    commands.add_parser("bom", help="write the bill of materials").add_argument("folder", type=Path)
    given = parser.parse_args()
    if given.command == "jobs":
        JOBS.write_text(jobs_file(), encoding="utf-8")
        return
    file = given.folder / f"synapse_otel-{__version__}.cdx.json"
    file.write_text(bill(), encoding="utf-8")
    print(file)


if __name__ == "__main__":
    main()
