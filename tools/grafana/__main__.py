"""`python -m tools.grafana`: write the dashboards into their folders; `--check`: say which differ."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tools import generated
from tools.grafana.files import FOLDERS, texts


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command in `arguments`; returns the exit status: 1 where `--check` found drift."""
    parser = argparse.ArgumentParser(prog="python -m tools.grafana", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 if something would change")
    check = parser.parse_args(arguments).check
    wanted = texts()
    status = generated.write(wanted.items(), check=check)
    there = {path for folder in FOLDERS for path in folder.glob("*.json")}
    for path in sorted(there - wanted.keys()):
        if check:
            print(f"{path}: no dashboard of tools/grafana; `make docs` deletes it")
            status = 1
        else:
            path.unlink()
    return status


if __name__ == "__main__":
    sys.exit(main())
