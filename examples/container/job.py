"""A job in a container: records numbered items, and prints the number of each when it is recorded.

``python job.py --items 500 --rate 100``
"""

from __future__ import annotations

import argparse
import secrets
import time

import synapse_otel
from synapse_otel.loggers import NoOpLogger


def main() -> None:
    """Record so many items at such a rate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--job-id")
    parser.add_argument("--items", type=int, default=100)
    parser.add_argument("--rate", type=float, default=100, help="items a second")
    parser.add_argument("--bytes", type=int, default=0, help="of text in each item")
    chosen = parser.parse_args()
    with synapse_otel.job("count", plugin="container", job_id=chosen.job_id, logger=NoOpLogger()) as ctx:
        begin = time.monotonic()
        for number in range(chosen.items):
            ctx.log("item", {"number": number, "text": secrets.token_hex(chosen.bytes // 2)})
            ctx.set_progress(number + 1, chosen.items)
            print(number, flush=True)
            time.sleep(max(0.0, begin + (number + 1) / chosen.rate - time.monotonic()))


if __name__ == "__main__":
    main()
