"""Four jobs to look at in Jaeger: one good, one that fails, one that is killed, one whose work is done by workers.

`python examples/four_jobs.py good|failed|killed|distributed`. docs/jaeger.md shows their traces.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.synchronize import Event

import synapse_otel
from synapse_otel.loggers import NoOpLogger
from synapse_otel.plugins.actions.train import TrainContext
from synapse_otel.plugins.context import RuntimeContext
from synapse_otel.plugins.steps import BaseStep, Orchestrator, StepRegistry, StepResult

KINDS = ("good", "failed", "killed", "distributed")
EPOCHS = 6


class Load(BaseStep[TrainContext]):
    """Reads the images."""

    name = "load"
    progress_weight = 0.2

    def execute(self, context: TrainContext) -> StepResult:
        for done in range(1, 5):
            time.sleep(0.03)
            context.set_progress(done, 4)
        context.log("dataset", {"images": 1797, "split": {"train": 0.8, "validation": 0.2}})
        context.log_message("1,797 images loaded", "success")
        return StepResult()

    def rollback(self, context: TrainContext, result: StepResult) -> None:
        time.sleep(0.04)
        context.log_message("images put away")


class Check(BaseStep[TrainContext]):
    """Has nothing to do."""

    name = "check"
    progress_weight = 0.1

    def execute(self, context: TrainContext) -> StepResult:
        return StepResult()

    def can_skip(self, context: TrainContext) -> bool:
        return True


@dataclass
class Train(BaseStep[TrainContext]):
    """Trains; fails, is killed or waits in the middle, where it is told to."""

    kind: str
    pause: bool

    name = "train"
    progress_weight = 0.6

    def execute(self, context: TrainContext) -> StepResult:
        for epoch in range(1, EPOCHS + 1):
            time.sleep(0.08)
            context.set_metrics({"loss": 1 / epoch})
            context.set_progress(epoch, EPOCHS)
            if epoch == EPOCHS // 2:
                context.log_message("the loss falls slowly", "warning")
                if self.pause:
                    wait()
                if self.kind == "killed":
                    os.kill(os.getpid(), signal.SIGKILL)
            if epoch == EPOCHS - 1 and self.kind == "failed":
                raise FloatingPointError("the loss is not finite after epoch 5")
        context.model_path = "model.bin"
        return StepResult()

    def rollback(self, context: TrainContext, result: StepResult) -> None:
        time.sleep(0.06)
        context.log_message("weights thrown away", "danger")


class Publish(BaseStep[TrainContext]):
    """Stores the model."""

    name = "publish"
    progress_weight = 0.1

    def execute(self, context: TrainContext) -> StepResult:
        time.sleep(0.1)
        context.set_progress(1, 1)
        return StepResult()


@dataclass
class Convert(BaseStep[TrainContext]):
    """Hands the work to two other processes."""

    pause: bool

    name = "convert"

    def execute(self, context: TrainContext) -> StepResult:
        fresh = get_context("spawn")
        go_on = fresh.Event()
        workers = [fresh.Process(target=convert, args=(context.runtime_ctx, part, go_on)) for part in range(2)]
        for worker in workers:
            worker.start()
        if self.pause:
            wait()
        go_on.set()
        for done, worker in enumerate(workers, 1):
            worker.join()
            context.set_progress(done, len(workers))
        failed = sum(worker.exitcode != 0 for worker in workers)
        return StepResult(success=not failed, error=f"{failed} of {len(workers)} workers failed" if failed else None)


def convert(ctx: RuntimeContext, part: int, go_on: Event) -> None:
    """Convert a part, in a process of its own; the second one takes twice as long."""
    for done in range(1, 5):
        time.sleep(0.15 * (part + 1))
        ctx.set_progress(done, 4, category=f"part {part}")
        go_on.wait()
    ctx.log_message(f"part {part} converted", "success")


def wait() -> None:
    """Wait until somebody has looked."""
    print("paused", flush=True)
    sys.stdin.readline()


def main() -> None:
    """Run one of the jobs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--job", help="its id")
    parser.add_argument(
        "--pause", action="store_true", help="print `paused` in the middle, go on after a line of input"
    )
    chosen = parser.parse_args()
    registry: StepRegistry[TrainContext] = StepRegistry()
    if chosen.kind == "distributed":
        steps, params = [Load(), Convert(chosen.pause), Publish()], {"parts": 2}
    else:
        steps, params = [Load(), Check(), Train(chosen.kind, chosen.pause), Publish()], {"epochs": EPOCHS}
    for step in steps:
        registry.register(step)
    with synapse_otel.job(
        "train", plugin="cats", version="1.2.0", job_id=chosen.job, params=params, logger=NoOpLogger()
    ) as ctx:
        Orchestrator(registry, TrainContext(runtime_ctx=ctx)).execute()
        ctx.end_log()


if __name__ == "__main__":
    main()
