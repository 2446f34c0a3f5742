"""The demo's ``--kill``: a training is killed in the middle, and what it had recorded is looked for at the far side."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otlp_stand_in import StandIn
from rich.console import Console
from rich.table import Table

from synapse_otel.loggers import BaseLogger
from synapse_otel.runs import Recording, find_run

STEP = "train"
SHARE = 0.45
DEADLINE_SECONDS = 20.0


class Narrator(BaseLogger):
    """Prints the progress of the training, each time that it changes, for the process that will kill this one."""

    def _log_impl(
        self, event: str, data: dict[str, Any], file: str | None, step: str | None, level: Any = None
    ) -> None:
        """Leave events out."""

    def set_progress(self, current: float, total: float, step: str | None = None, **more: Any) -> None:
        super().set_progress(current, total, step, **more)  # records it
        if step == STEP:
            print(f"{current:g}/{total:g}", flush=True)


@dataclass
class Killed:
    """How it went."""

    printed: str
    """The last progress that the training printed."""
    at: float
    """Monotonic time of the kill."""


def show(console: Console, journal: Path, job_id: str, stand_in: StandIn | None) -> int:
    """Train, kill, wait and compare; return 0 if everything arrived."""
    command = [sys.executable, str(Path(__file__).with_name("digits_demo.py")), "--child", job_id]
    command += ["--journal", str(journal), *(["--endpoint", stand_in.url] if stand_in else [])]
    killed = train_and_kill(console, command)
    folder = find_run(job_id, [journal])
    recording = Recording.read(folder)
    while not settled(recording) and time.monotonic() < killed.at + DEADLINE_SECONDS:
        time.sleep(0.02)
        recording = Recording.read(folder)
    seconds = time.monotonic() - killed.at
    whole = recording.account is not None and recording.account.complete
    if whole:
        console.print(
            f"Delivered and closed as killed {seconds:.1f} s later; nobody restarted anything.\n", style="green"
        )
    else:
        console.print(f"Not delivered {seconds:.1f} s later: {recording.account}\n", style="red")
    compared = compare(console, recording, killed.printed, stand_in)
    return 0 if compared and (whole or stand_in is None) else 1


def train_and_kill(console: Console, command: list[str]) -> Killed:
    """Run the training until it is nearly half done, and kill it."""
    console.print("Training on 1,797 images of handwritten digits, in a process of its own ...", style="dim")
    printed = "0/1"
    shown = 0
    at = 0.0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            printed = line.strip()  # read on after the kill: what it had printed by then is in the pipe
            share = done(printed)
            if share * 10 >= shown + 1:
                shown = int(share * 10)
                console.print(f"  {STEP} {shown * 10:>3}%  {printed}", style="dim")
            if not at and share >= SHARE:
                process.send_signal(signal.SIGKILL)
                at = time.monotonic()
    if process.returncode != -signal.SIGKILL:
        sys.exit(f"the training ended by itself, with exit code {process.returncode}")
    console.print(f"Killed process {process.pid} with SIGKILL.", style="bold")
    return Killed(printed, at)


def done(printed: str) -> float:
    """Return the share that a printed progress stands for."""
    current, _, total = printed.partition("/")
    return float(current) / float(total)


def settled(recording: Recording) -> bool:
    """Say whether there is nothing to wait for: all is delivered, or the receiver does not take it."""
    account = recording.account
    return account is not None and (account.complete or bool(account.failure))


def compare(console: Console, recording: Recording, printed: str, stand_in: StandIn | None) -> bool:
    """Show what was recorded beside what arrived; return whether nothing is missing."""
    spans = [span for _depth, span in recording.walk()]
    left_open = [span for span in spans if span.is_open]
    samples = sum(len(series) for series in recording.curves.values())
    progress = recording.progress_of(STEP)
    recorded = f"{progress.current:g}/{progress.limit:g}" if progress else "none"
    withheld = recording.account.withheld if recording.account is not None else 0  # markers of steps that had ended
    ended = len(spans) - len(left_open) + len(recording.markers) - withheld
    rows = [
        ("log records", len(recording.logs), len(stand_in.logs) if stand_in else None, 1, "says that it was killed"),
        ("metric samples", samples, len(stand_in.points) if stand_in else None, 0, ""),
        ("spans", ended, len(stand_in.spans) if stand_in else None, len(left_open), "closed for it"),
    ]
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("", "recorded", "arrived"):
        table.add_column(title, justify="right" if title else "left")
    table.add_column("")
    for name, count, arrived, added, why in rows:
        more = f"{added} more {why}" if added and arrived is not None else ""
        table.add_row(name, f"{count:,}", "" if arrived is None else f"{arrived:,}", more)
    table.add_row(f"progress of {STEP}", recorded, "", f"the job itself had printed {printed}")
    console.print(table)
    console.print()
    arrived_all = all(arrived is None or arrived >= count + added for _name, count, arrived, added, _why in rows)
    return arrived_all and progress is not None and progress.ratio >= done(printed)
