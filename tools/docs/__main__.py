"""`python -m tools.docs`: write the generated tables; `--check`: say where they are not what they should be."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tools.docs.blocks import ROOT, changed
from tools.docs.measured import write_costs
from tools.docs.pictures import write_pictures
from tools.docs.tables import GENERATORS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command in ``arguments``; return the exit status: 1 where ``--check`` found drift."""
    parser = argparse.ArgumentParser(prog="python -m tools.docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 if something would change")
    parser.add_argument(
        "what",
        nargs="?",
        choices=("tables", "pictures", "costs"),
        default="tables",
        help="tables (default), pictures: of a demo's run, costs: of calls, as `make bench` measures them",
    )
    chosen = parser.parse_args(arguments)
    if chosen.what == "pictures":
        print(*write_pictures(), sep="\n")
    elif chosen.what == "costs":
        print(write_costs())
    else:
        return _tables(check=chosen.check)
    return 0


def _tables(*, check: bool) -> int:
    status = 0
    for page, text in changed(GENERATORS):
        if check:
            print(f"{page.relative_to(ROOT)}: generated blocks are not up to date; `make docs` writes them")
            status = 1
        else:
            page.write_text(text, encoding="utf-8")
            print(f"{page.relative_to(ROOT)} written")
    return status


if __name__ == "__main__":
    sys.exit(main())
