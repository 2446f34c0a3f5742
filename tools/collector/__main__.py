"""`python -m tools.collector [helm|long-term]`: write what of collector/ is generated; `--check`: say what differs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tools import generated
from tools.collector import helm, long_term
from tools.collector.inputs import COLLECTOR

FILES: dict[str, dict[Path, Callable[[], str]]] = {
    "helm": {
        COLLECTOR / "helm" / "agent-values.yaml": lambda: helm.values_file("agent"),
        COLLECTOR / "helm" / "gateway-values.yaml": lambda: helm.values_file("gateway"),
    },
    "long-term": {COLLECTOR / "backends" / "long-term.rules.yaml": long_term.rules},
}
"""By what is asked for: each generated file and what makes it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command in `arguments`; returns the exit status: 1 where `--check` found drift."""
    parser = argparse.ArgumentParser(prog="python -m tools.collector", description=__doc__)
    parser.add_argument("what", nargs="*", choices=[*FILES, []], help="which files; all if none is named")
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 if something would change")
    chosen = parser.parse_args(arguments)
    files = ((path, make()) for what in chosen.what or FILES for path, make in FILES[what].items())
    return generated.write(files, check=chosen.check)


if __name__ == "__main__":
    sys.exit(main())
