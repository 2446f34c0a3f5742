"""Trains a classifier of handwritten digits as a job, and shows what was recorded, read back from its journal.

``--fail STEP`` makes a step fail half-way; ``--kill`` runs the training in a process of its own and kills it with
SIGKILL. Records go to ``OTEL_EXPORTER_OTLP_ENDPOINT``, or, where that is not set, to a stand-in inside this demo.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from uuid import uuid4

import digits_kill
from otlp_stand_in import StandIn
from rich.console import Console

import synapse_otel
from synapse_otel.journal.folder import read_run, safe_name
from synapse_otel.loggers import BaseLogger
from synapse_otel.runs import Recording, RunState, find_run, known_runs
from synapse_otel.runtime.served_page import served_page
from synapse_otel.settings import load_settings
from synapse_otel.ui.printed import Report

STEPS = ("load", "prepare", "train", "evaluate", "export")
PARAMS = {"epochs": 24, "batch_size": 64, "learning_rate": 0.001, "seed": 7, "wanted_accuracy": 0.95}
RUNS_KEPT = 10
PROGRAM = str(Path(sys.executable).with_name("synapse-otel"))
IDLE_SECONDS = 600
"""How long the page is served while nobody looks."""


def run(
    journal: Path, endpoint: str | None, job_id: str, fail: str | None = None, logger: BaseLogger | None = None
) -> None:
    """Run the training as a job: all that a program that runs plugins has to do."""
    from digits_plugin import train

    synapse_otel.configure(journal_dir=journal, journal_keep=True, endpoint=endpoint)
    output = journal / "models"
    output.mkdir(parents=True, exist_ok=True)
    env = {"MODEL_FOLDER": str(output)}
    with synapse_otel.job(
        "train", plugin="digits", version="1.0.0", job_id=job_id, params=PARAMS, env=env, logger=logger
    ) as ctx:
        train(PARAMS, ctx, failing(fail) if fail else None)


def failing(name: str) -> type[Any]:
    """Return a context that raises half-way through a step, in place of whatever may go wrong in a real one."""
    from digits_plugin import DigitsContext

    class FailingContext(DigitsContext):
        def set_progress(self, current: float, total: float, *category: Any, **more: Any) -> None:
            super().set_progress(current, total, *category, **more)
            if self.current_step == name and current * 2 >= total:
                raise RuntimeError(f"made to fail half-way through {name}")

    return FailingContext


def main() -> int:
    """Run the demo and return its exit code: 1 if the job failed, or was to be killed and did not arrive whole."""
    arguments = parsed()
    own = arguments.endpoint or (None if has_endpoint() else "")
    job_id = f"demo-{uuid4().hex[:12]}"
    if arguments.child:
        run(arguments.journal, own, arguments.child, logger=digits_kill.Narrator())
        return 0
    console = Console(highlight=False)
    with StandIn() if own == "" else nullcontext() as stand_in:
        if arguments.kill:
            code = digits_kill.show(console, arguments.journal, job_id, stand_in)
        else:
            console.print("Training on 1,797 images of handwritten digits ...", style="dim")
            code = attempt(arguments.journal, stand_in.url if stand_in else None, job_id, arguments.fail)
            console.print()
        recording = Recording.read(find_run(job_id, [arguments.journal]))
        console.print(Report(recording))
    console.print()
    explain(console, recording, arguments.journal, stand_in)
    tidy(arguments.journal)
    show_pages(console, job_id, arguments.journal, serves=arguments.page)
    return code


def attempt(journal: Path, endpoint: str | None, job_id: str, fail: str | None) -> int:
    """Run the training and return 0, or 1 if it failed; the report tells why."""
    try:
        run(journal, endpoint, job_id, fail)
    except RuntimeError:
        if not fail:
            raise
        return 1
    return 0


def explain(console: Console, recording: Recording, journal: Path, stand_in: StandIn | None) -> None:
    """Say where the records went, and what to do next."""
    if stand_in is not None:
        console.print(
            "The receiver was a stand-in inside this demo. The real thing: `make stack` in another terminal, then\n"
            "`OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 make demo`.",
            style="dim",
            soft_wrap=True,
        )
    elif recording.account is not None and recording.account.pending:
        program = shlex.quote(PROGRAM)
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")}
        variables["SYNAPSE_OTEL_JOURNAL_DIR"] = str(journal)
        given = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items() if value)
        console.print(
            f"{recording.account.pending:,} records are pending. To send them when the receiver is there:\n"
            f"`{given} {program} sync`",
            style="yellow",
            soft_wrap=True,
        )


def show_pages(console: Console, job_id: str, journal: Path, *, serves: bool) -> None:
    """Write the run as one HTML file, and say where it is; and where all runs are, live, if that is ``serves``."""
    page = report_of(find_run(job_id, [journal]))
    command = [PROGRAM, "export", job_id, "--output", str(page)]
    written = subprocess.run(command, env=of(journal), capture_output=True, text=True, check=False)
    lines = [f"As one page:    {page.as_uri()}" if not written.returncode else written.stderr.strip()]
    if serves and (address := served(journal)):
        lines.append(f"All runs, live: {address}\n  until no page of it has been open for {IDLE_SECONDS // 60} minutes")
    else:
        given = f"SYNAPSE_OTEL_JOURNAL_DIR={shlex.quote(str(journal))}"
        lines.append(f"All runs, live: `{given} {shlex.quote(PROGRAM)} view`")
    console.print("\n".join(lines), soft_wrap=True, highlight=False)


def report_of(folder: Path) -> Path:
    """Return the file of a run's report: it is called as the run is."""
    known = read_run(folder)
    return folder.with_name(f"{safe_name(known.name if known else folder.name)}.html")


def served(journal: Path) -> str | None:
    """Return the address of the page with all runs: of one that an earlier demo has left, else of a new one.

    It is started in the background; None if it cannot be.
    """
    if address := served_page(journal):
        return address
    command = [PROGRAM, "view", "--no-browser", "--idle", str(IDLE_SECONDS)]
    told = journal / "view.log"
    with told.open("w") as log:
        process = subprocess.Popen(
            command, env=of(journal), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    while process.poll() is None:
        if found := re.search(r"http://\S+(?=\n)", told.read_text()):
            return found[0]
        time.sleep(0.05)
    return None


def of(journal: Path) -> dict[str, str]:
    """Return the environment in which the demo's runs are found."""
    return {**os.environ, "SYNAPSE_OTEL_JOURNAL_DIR": str(journal)}


def tidy(journal: Path) -> None:
    """Delete the demo's older journals, but for those that are still to be delivered."""
    for known in known_runs([journal])[:-RUNS_KEPT]:
        old = Recording.read(known.folder)
        if old.state is not RunState.LIVE and old.account is not None and old.account.complete:
            report_of(known.folder).unlink(missing_ok=True)
            shutil.rmtree(known.folder)


def has_endpoint() -> bool:
    """Say whether the environment tells where to send records."""
    names = [f"OTEL_EXPORTER_OTLP_{signal}ENDPOINT" for signal in ("", "LOGS_", "METRICS_", "TRACES_")]
    return any(os.environ.get(name) for name in [*names, "SYNAPSE_OTEL_ENDPOINT"])


def parsed() -> argparse.Namespace:
    """Return the arguments."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--fail", choices=STEPS, metavar="STEP", help=f"step that fails: {', '.join(STEPS)}")
    parser.add_argument("--kill", action="store_true", help="kill the training half-way with SIGKILL")
    parser.add_argument("--page", action="store_true", help="serve the page with all runs when it is over")
    parser.add_argument("--journal", type=Path, default=None, help="folder of the demo's journals")
    parser.add_argument("--endpoint", help=argparse.SUPPRESS)
    parser.add_argument("--child", metavar="JOB_ID", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.fail and arguments.kill:
        parser.error("--fail and --kill cannot be shown at once")
    folder = arguments.journal or load_settings().journal_dir.with_name("synapse-otel-demo")
    arguments.journal = folder.absolute()
    return arguments


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
