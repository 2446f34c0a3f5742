"""A journal written to by threads and a signal's handler at once, through the compiled module, in a process that forks.

``python storm.py FOLDER RECORDS``: so many at least by each thread. Prints what was made and what is there, as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from threading import Thread
from time import time_ns

from synapse_otel.journal import frames, writer
from synapse_otel.journal.creation import create_journal
from synapse_otel.journal.frames import Kind
from synapse_otel.journal.reader import read_all
from synapse_otel.journal.writer import JournalWriter
from synapse_otel.semconv.signal import Signal

THREADS = 8
FORKS = 20
SIGNALS = 50


EVERY = 5e-5
"""Seconds from the end of a signal's handling to the next signal."""
TEMPLATE = frames.encode((1, 0, 9, None, "storm", {}, b"", ""))
PLAIN = {"n", "by"}
SERIES = {"loss": 1}


class Storm:
    """What writes at once."""

    def __init__(self, journal: JournalWriter, records: int) -> None:
        self._journal = journal
        self._records = records
        self.is_over = False
        self.handled = 0
        self.made, self.samples = [0] * THREADS, [0] * THREADS
        self.has_forked = False

    def brief(self, number: int, by: str) -> None:
        """Append a brief record; where there is no room for it, in the way that makes room."""
        append = self._journal.segment.append_brief
        data = {"n": number, "by": by}
        if append is None or not append(time_ns(), 1, by, data, PLAIN):
            self._journal.append(Kind.BRIEF, Signal.LOGS, frames.encode((time_ns(), 1, by, data)))

    def handle(self, _signal: int, _frame: object) -> None:
        """Append from a signal's handler; the next one comes only then, or nothing else would ever be done."""
        self.handled += 1
        self.brief(self.handled, "signal")
        self.send()

    def send(self) -> None:
        """Let a signal come soon, until the threads have ended."""
        signal.setitimer(signal.ITIMER_REAL, 0 if self.is_over else EVERY)

    def write(self, thread: int) -> None:
        """Append from a thread, so much, and until the process has forked often enough."""
        while self.made[thread] < self._records or not self.has_forked:
            number = self.made[thread]
            self.brief(number, f"thread {thread}")
            self.made[thread] += 1
            append = self._journal.segment.append_samples
            if append is not None and append(time_ns(), SERIES, {"loss": number}):
                self.samples[thread] += 1


def forked(journal: JournalWriter) -> int:
    """Fork a child that lets go of the journal; return its exit code, 0 if it could write nothing then."""
    pid = os.fork()
    if pid == 0:
        segment = journal.segment
        journal.abandon()
        os._exit(segment.append(Kind.BRIEF, 0, b"", 1) or journal.segment.append(Kind.BRIEF, 0, b"", 1))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main(folder: Path, records: int) -> None:
    """Write, and print what was appended and what can be read, as JSON."""
    writer.SEGMENT_SIZE = 1 << 17
    journal, _state = create_journal(folder, "storm", {}, destination="", budget=1 << 30)
    journal.define("template", Kind.TEMPLATE, TEMPLATE)
    storm = Storm(journal, records)
    signal.signal(signal.SIGALRM, storm.handle)
    storm.send()
    threads = [Thread(target=storm.write, args=(number,)) for number in range(THREADS)]
    for each in threads:
        each.start()
    codes = []
    while len(codes) < FORKS or storm.handled < SIGNALS:
        codes.append(forked(journal))
    storm.has_forked = True
    for each in threads:
        each.join()
    storm.is_over = True
    storm.send()
    journal.close()
    by: Counter[str] = Counter()
    samples = 0
    for frame, structure in read_all(journal.folder):
        if frame.kind == Kind.BRIEF:
            by[structure.body] += 1
        elif frame.kind == Kind.SAMPLES:
            samples += frame.count
    found = {"by": by, "samples": samples, "sequences": journal.sequences, "dropped": journal.dropped}
    made = {f"thread {number}": made for number, made in enumerate(storm.made)} | {"signal": storm.handled}
    wanted = {"by": made, "samples": sum(storm.samples), "failed": sum(codes)}
    print(json.dumps({"found": found, "wanted": wanted}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
