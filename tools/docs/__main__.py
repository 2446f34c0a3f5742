"""`python -m tools.docs`: write the generated tables, pictures, measured costs, or the site.

``--check`` says where the tables are not what they should be.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tools import generated
from tools.docs.blocks import changed
from tools.docs.interface import FILE, interface
from tools.docs.measured import write_costs
from tools.docs.pictures import write_pictures
from tools.docs.schemas import schema_files
from tools.docs.site import build_site, serve_site
from tools.docs.tables import GENERATORS
from tools.docs.telemetry_schema import names_file, names_of, published
from tools.docs.traces import write_traces


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command in ``arguments``; return the exit status: 1 where ``--check`` found drift."""
    parser = argparse.ArgumentParser(prog="python -m tools.docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 if something would change")
    parser.add_argument("--serve", action="store_true", help="site: serve it on loopback until interrupted")
    parser.add_argument(
        "what",
        nargs="?",
        choices=("tables", "pictures", "traces", "costs", "site", "names", "schema"),
        default="tables",
        help="tables (default); pictures: of runs of the demo, on the page, in the terminal and in VictoriaLogs; "
        "traces: pictures of what a real Jaeger answers; costs: of calls, as `make bench` measures them; "
        "site: all of docs/ as pages; names: the names of this release, for later ones to be compared with; "
        "schema: print the telemetry schema as it is to be published",
    )
    parser.add_argument("--at", metavar="URL", help="schema: the address below which it is published")
    chosen = parser.parse_args(arguments)
    if chosen.what == "site":
        return serve_site() if chosen.serve else build_site()
    if chosen.what == "pictures":
        print(*_pictures(), sep="\n")
    elif chosen.what == "traces":
        print(*write_traces(), sep="\n")
    elif chosen.what == "costs":
        print(write_costs())
    elif chosen.what == "names":
        return generated.write([(names_file(), names_of(interface()))], check=chosen.check)
    elif chosen.what == "schema":
        return _print_schema(parser, chosen.at)
    else:
        return generated.write([*changed(GENERATORS), (FILE, interface()), *schema_files()], check=chosen.check)
    return 0


def _print_schema(parser: argparse.ArgumentParser, base: str | None) -> int:
    try:
        print(published(base or ""), end="")
    except ValueError as error:
        parser.error(f"--at {error}")
    return 0


def _pictures() -> list[Path]:
    from tools.docs.log_pictures import write_log_pictures  # playwright, which nothing else here needs
    from tools.docs.page_pictures import write_page_pictures

    return [*write_pictures(), *write_page_pictures(), *write_log_pictures()]


if __name__ == "__main__":
    sys.exit(main())
