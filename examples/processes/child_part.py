"""A program that records in the job that has started it with `child_environment()`: ``python child_part.py PART``."""

from __future__ import annotations

import logging
import sys

import synapse_otel
from synapse_otel import RuntimeContext


def main(part: str) -> None:
    """Record; without a job in the environment it is all the same, but for the job."""
    synapse_otel.configure()
    ctx = RuntimeContext()
    ctx.log_message(f"{part} part of the job")
    ctx.set_progress(1, 1, category=f"{part} part")
    logging.getLogger("child").warning("%s part is done", part)


if __name__ == "__main__":
    main(*sys.argv[1:])
