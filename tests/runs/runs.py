"""Jobs that are run in a process of their own, to be read back from their journals.

``python runs.py SCENARIO`` runs one; `run` does that from a test.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
JOB_ID = "job-4711"
OTHER_JOB = "TEST_JOB_ID"
"""Variable that gives a scenario another job id."""
TOKEN = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"


def environment(root: Path, **variables: str) -> dict[str, str]:
    """Return the environment of a job whose journal stands below ``root``."""
    found = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "SYNAPSE_"))}
    paths = os.pathsep.join((str(REPOSITORY / "src"), str(REPOSITORY)))
    own = {"SYNAPSE_OTEL_JOURNAL_DIR": str(root), "SYNAPSE_OTEL_SHIPPER": "off"}
    return {**found, "PYTHONPATH": paths, "PYTHONIOENCODING": "utf-8", "COLUMNS": "100", **own, **variables}


def start(root: Path, scenario: str, **variables: str) -> subprocess.Popen[str]:
    """Start a scenario."""
    return subprocess.Popen(
        [sys.executable, __file__, scenario],
        env=environment(root, **variables),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(root: Path, scenario: str, **variables: str) -> int:
    """Run a scenario to its end and return its exit code."""
    with start(root, scenario, **variables) as process:
        process.communicate(timeout=60)
    return process.returncode


COMMAND = """
from synapse_otel.journal import folder
folder.spare_roots = list  # what other tests, or the user's own jobs, have left there is not looked at
from synapse_otel.cli import main
main()
"""


def command(root: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run ``synapse-otel`` with arguments."""
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments],
        env=environment(root, **variables),
        capture_output=True,
        check=False,
        encoding="utf-8",
        timeout=60,
    )


# --- what is run ---------------------------------------------------------------------------------------


def workflow(*, fail: bool) -> None:
    """Run five steps: one is skipped, and the last one may fail."""
    from opentelemetry import trace

    import synapse_otel
    from synapse_otel.loggers import NoOpLogger
    from synapse_otel.plugins.actions.train import TrainContext
    from synapse_otel.plugins.steps import BaseStep, Orchestrator, StepRegistry, StepResult

    class Step(BaseStep[TrainContext]):
        def __init__(self, name: str) -> None:
            self._name = name

        name = property(lambda self: self._name)  # type: ignore[assignment]

        def can_skip(self, context: TrainContext) -> bool:
            return self.name == "cached"

        def execute(self, context: TrainContext) -> StepResult:
            context.set_progress(1, 4)
            if self.name == "train":
                for epoch in range(5):
                    context.set_metrics({"loss": 1 / (epoch + 1), "accuracy": epoch / 5})
                context.log_message("slow disk", "warning")
                context.log("checkpoint", {"epoch": 5, "note": f"token={TOKEN}"}, __file__)
                context.log_dev_event("weights", {"mean": 0.5})
                logging.getLogger("plugin").info("%d images", 7)
                with trace.get_tracer("plugin").start_as_current_span("query"):
                    pass
            if self.name == "export" and fail:
                raise KeyError("no room")
            context.set_progress(4, 4)
            context.model_path = "model.bin"
            return StepResult()

    with synapse_otel.job(
        "train",
        plugin="yolo",
        version="1.2.0",
        job_id=os.environ.get(OTHER_JOB, JOB_ID),
        params={"epochs": 5},
        logger=NoOpLogger(),
    ) as ctx:
        registry: StepRegistry[Any] = StepRegistry()
        for name in ("load", "cached", "train", "export"):
            registry.register(Step(name))
        Orchestrator(registry, TrainContext(ctx)).execute()


def stay() -> None:
    """Begin a job and a step, say so, and wait until told to go on; at ``die`` die of SIGKILL."""
    import synapse_otel
    from synapse_otel.loggers import NoOpLogger

    with synapse_otel.job("export", plugin="coco", job_id="job-open", logger=NoOpLogger()) as ctx:
        scope = ctx.scope.begin_step("write", order=1, weight=1)
        with scope.activated():
            ctx.set_progress(3, 10)
            ctx.log_message("three written")
            print("ready", flush=True)
            if sys.stdin.readline().strip() == "die":
                os.kill(os.getpid(), signal.SIGKILL)
        scope.end()


def many() -> None:
    """Record more of everything than a report shows."""
    from opentelemetry import trace

    import synapse_otel
    from synapse_otel.loggers import NoOpLogger

    with synapse_otel.job("train", plugin="huge", logger=NoOpLogger()) as ctx:
        for number in range(300):
            with trace.get_tracer("plugin").start_as_current_span(f"request {number}"):
                ctx.log("tick", {"number": number})
            ctx.set_metrics({f"metric_{number % 100}": number}, "all")
        for number in range(100):
            ctx.set_progress(1, 2, f"phase {number}")
            if number == 50:
                ctx.log_message("look \x1b[31mhere\r\nand there", "danger")
        ctx.log_message("last words")


if __name__ == "__main__":
    scenarios = {
        "success": lambda: workflow(fail=False),
        "failure": lambda: workflow(fail=True),
        "stay": stay,
        "many": many,
    }
    scenarios[sys.argv[1]]()
