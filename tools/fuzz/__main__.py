"""``python -m tools.fuzz [--seconds N]``: give journals of ever new content to the code, led by what it covers.

Needs `atheris`. A content that breaks something is written to ``crash-*`` in the folder of temporary files.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path


def main() -> int:
    """Run until the time is up; return 2 where `atheris` is not installed."""
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    seconds = parser.parse_args().seconds
    try:
        import atheris  # type: ignore[import-untyped, import-not-found, unused-ignore]
    except ImportError:
        sys.stderr.write("atheris is not installed (it has wheels for some versions of CPython on Linux)\n")
        return 2
    with atheris.instrument_imports(include=["synapse_otel.journal", "synapse_otel.shipper"]):
        from tools.fuzz.check import check, seeds
    folder = Path(tempfile.mkdtemp(prefix="synapse-fuzz-seeds-"))
    for number, seed in enumerate(seeds()):
        (folder / str(number)).write_bytes(seed)
    crashes = f"-artifact_prefix={tempfile.gettempdir()}/"
    atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", "-max_len=4096", crashes, str(folder)], check)
    atheris.Fuzz()  # ends the process
    return 0


if __name__ == "__main__":
    sys.exit(main())
