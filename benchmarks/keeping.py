"""The cost of keeping delivered runs: bytes on the disk, the shipper's processor time, and many short runs."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.delivering import in_processes
from benchmarks.far_side import far_side
from benchmarks.processes import place
from benchmarks.report import Bar, Table
from synapse_otel.journal import frames
from synapse_otel.journal.creation import create_journal
from synapse_otel.journal.folder import folder_size, run_folders
from synapse_otel.journal.frames import Kind
from synapse_otel.otlp.destination import Destination, Endpoint
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper.configuration import Limits, ShipperConfiguration
from synapse_otel.shipper.retention import Retention
from synapse_otel.shipper.service import Shipper

SAMPLES, MESSAGES = 300_000, 100_000
SAMPLE_BYTES, MESSAGE_BYTES = 40.0, 120.0
CALLS = 100_000
PAIRS = 5
MOST_RATIO = 1.05
RUNS = 1_000
LOOKS = 10
_KEY = "key"


def keeping() -> Table:
    """Return the table of what keeping costs."""
    sample, message = _bytes_of(samples=SAMPLES) / SAMPLES, _bytes_of(messages=MESSAGES) / MESSAGES
    ratios = [_shipper_us("1GiB") / _shipper_us("0") for _ in range(PAIRS)]
    ratio = statistics.median(ratios)
    look, run = _many_short_runs()
    rows = [
        ("bytes of a metric sample on the disk, three in a call", f"{sample:.1f}"),
        ("bytes of a message on the disk", f"{message:.1f}"),
        ("the shipper's processor time a record, kept against not kept", f"{ratio:.3f}x"),
        (f"one look of a shipper at {RUNS:,} kept runs, ms of processor time", f"{look * 1e3:.1f}"),
        ("KiB on the disk of a kept run with ten messages", f"{run / 1024:.1f}"),
    ]
    notes = (
        f"{SAMPLES:,} samples and {MESSAGES:,} messages in a run each. The ratio is the median of {PAIRS} pairs of "
        f"runs of {CALLS:,} log records ({min(ratios):.2f} to {max(ratios):.2f}). A shipper looks every 30 seconds."
    )
    bars = [
        Bar("disk of a kept sample", f"{SAMPLE_BYTES:.0f} bytes", f"{sample:.0f} bytes", sample <= SAMPLE_BYTES),
        Bar("disk of a kept message", f"{MESSAGE_BYTES:.0f} bytes", f"{message:.0f} bytes", message <= MESSAGE_BYTES),
        Bar("the shipper's time, kept", f"at most {MOST_RATIO}x", f"{ratio:.2f}x", ratio <= MOST_RATIO),
    ]
    return Table("kept", "What keeping delivered runs costs", ("what", "measured"), rows, notes, bars)


def _bytes_of(**counts: int) -> int:
    with place("http://127.0.0.1:9", SYNAPSE_OTEL_SHIPPER="off") as here:
        here.run("kept", **counts)
        return sum(map(folder_size, run_folders(here.root)))


def _shipper_us(budget: str) -> float:
    return in_processes("process", CALLS, SYNAPSE_OTEL_JOURNAL_KEPT_BUDGET=budget)[1]


def _many_short_runs() -> tuple[float, float]:
    """Return the seconds of processor time of a look at many kept runs, and the bytes on the disk of one."""
    with tempfile.TemporaryDirectory(prefix="synapse-otel-bench-") as made, far_side() as far:
        root = Path(made)
        destination = Destination(
            **{name: Endpoint(url=f"http://127.0.0.1:{far.port}/v1/{name}") for name in ("logs", "metrics", "traces")}
        )
        limits = Limits(kept_runs=RUNS, kept_bytes=1 << 30)
        shipper = Shipper(ShipperConfiguration([made], destination, _KEY, 5.0, limits=limits), print)
        for number in range(RUNS):
            child = os.fork()  # a run's process is gone when its run is looked at
            if not child:
                _write_run(root, f"run-{number}")
                os._exit(0)
            os.waitpid(child, 0)
        for folder in run_folders(root):
            shipper.deliver_once(folder)
        shipper.stop()
        retention = Retention([root], _KEY, limits, print)
        retention.look_after({})
        before = time.process_time()
        for _ in range(LOOKS):
            retention.look_after({})
        seconds = (time.process_time() - before) / LOOKS
        blocks = [path.stat().st_blocks for folder in run_folders(root) for path in folder.iterdir()]
        return seconds, sum(blocks) * 512 / RUNS


def _write_run(root: Path, name: str) -> None:
    writer, _state = create_journal(root, name, {}, destination=_KEY, budget=1 << 30, retain=True)
    for message in range(10):
        log = [time.time_ns(), 9, None, None, f"message {message}", {}, b"", 0]
        writer.append(Kind.LOG, Signal.LOGS, frames.encode(log))
    writer.close()
