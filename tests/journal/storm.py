"""A journal written to by a program and, in the middle of that, by the handler of a signal that comes all the time.

``python storm.py ROOT mapped|called quiet|raises``: the handler of ``raises`` raises now and then. The segments are
small, so that it meets many a beginning of a segment. Prints what was made, as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from synapse_otel.journal import frames, segment, writer
from synapse_otel.journal.creation import create_journal
from synapse_otel.journal.frames import Kind
from synapse_otel.semconv.signal import Signal

SIGNALS = {"mapped": 1_000, "called": 2_000}
EVERY = 0.0003
"""Seconds to the next signal."""
DEEP = 8
"""How many signals are handled inside of each other; on a slow machine there would be no end to them."""
MADE = 5_000
"""How much is written at least, however slow the machine is: it fills some forty segments."""


class Stop(BaseException):
    """Raised by the handler."""


class Storm:
    """Signals that come one after the other, and some while another one is handled.

    Args:
        handle: handles one; what it raises goes through.
    """

    def __init__(self, handle: Callable[[], None]) -> None:
        self._handle = handle
        self._depth = 0
        self._is_over = False
        signal.signal(signal.SIGALRM, self._take)
        self._send()

    def end(self) -> None:
        """Let none come any more."""
        self._is_over = True
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _send(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, EVERY)

    def _take(self, _number: int, _frame: object) -> None:
        if self._is_over:
            return
        self._depth += 1
        try:
            if self._depth < DEEP:
                self._send()
            self._handle()
        finally:
            self._depth -= 1
            self._send()


def main(root: str, way: str, raises: str) -> None:
    """Write until enough signals have come, and enough was written."""
    writer.SEGMENT_SIZE = 1 << 14
    if way == "called":
        segment._fallocate = lambda: None
    journal, _ = create_journal(Path(root), "run", {}, destination="d", budget=1 << 30)
    made = signals = interrupted = 0
    returned: list[int] = []
    armed = False

    def handle():
        nonlocal signals, armed
        number = signals  # taken first: another signal may come while this one is handled
        signals += 1
        journal.append(Kind.LOG, Signal.LOGS, b"signal %d " % number)
        returned.append(number)
        if number % 5 == 0:
            journal.define("scope", Kind.SCOPE, frames.encode([0, "scope"]))
        if armed and number % 3 == 0:
            armed = False  # here, as the next signal may come before the other side can say so
            raise Stop

    def write():
        # A function of its own: of an exception at a loop's end not every CPython says that it is inside of the try.
        nonlocal made
        while signals < SIGNALS[way] or made < MADE:
            journal.append(Kind.LOG, Signal.LOGS, b"made %d " % made + b"x" * (made % 300))
            made += 1

    storm = Storm(handle)
    while signals < SIGNALS[way] or made < MADE:
        try:
            armed = raises == "raises"
            write()
            armed = False
        except Stop:
            interrupted += 1
    storm.end()
    journal.close()
    counts = {
        "made": made,
        "signals": returned,
        "interrupted": interrupted,
        "dropped": sum(journal.dropped),
        "records": journal.sequences[Signal.LOGS],
        "descriptors": len(os.listdir("/proc/self/fd")),
    }
    sys.stdout.write(json.dumps(counts))


if __name__ == "__main__":
    main(*sys.argv[1:])
