"""A training job with known numbers; what it recorded is printed as JSON, so that every record can be looked for.

Run as a script: ``training_job.py good``, or ``failing``, or ``killed`` (it stops in the middle and waits).
"""

import json
import logging
import os
import sys
import time
from dataclasses import dataclass

import synapse_otel
from synapse_otel.loggers import NoOpLogger
from synapse_otel.plugins.actions.train import TrainContext
from synapse_otel.plugins.steps import BaseStep, Orchestrator, StepRegistry, StepResult

EPOCHS = 30
SAMPLES: dict[str, list[float]] = {"loss": [], "accuracy": []}


@dataclass
class Load(BaseStep[TrainContext]):
    name = "load"
    progress_weight = 0.2

    def execute(self, context: TrainContext) -> StepResult:
        for done in range(1, 101):
            context.set_progress(done, 100)
        context.log("dataset", {"images": 1797, "shape": [8, 8], "split": {"train": 0.8, "test": 0.2}}, __file__)
        context.log_message("1,797 images are loaded", "success")
        return StepResult(success=True)

    def rollback(self, context: TrainContext, result: StepResult) -> None:
        context.log_message("the images are put away", "info")


@dataclass
class Check(BaseStep[TrainContext]):
    name = "check"
    progress_weight = 0.1

    def execute(self, context: TrainContext) -> StepResult:
        raise AssertionError("a skipped step is not executed")

    def can_skip(self, context: TrainContext) -> bool:
        return True


@dataclass
class Train(BaseStep[TrainContext]):
    mode: str
    name = "train"
    progress_weight = 0.7

    def execute(self, context: TrainContext) -> StepResult:
        for epoch in range(EPOCHS):
            loss, accuracy = 1 / (epoch + 1), epoch / EPOCHS
            context.set_metrics({"loss": loss, "accuracy": accuracy})
            SAMPLES["loss"].append(loss)
            SAMPLES["accuracy"].append(accuracy)
            context.set_progress(epoch + 1, EPOCHS)
            if epoch == EPOCHS // 2:
                context.log_message("the loss falls slowly", "warning")
                context.runtime_ctx.log_dev_event("gradient", {"norm": 0.5, "api_key": "sk-not-for-anyone"})
                logging.getLogger("plugin.trainer").info("half of the epochs are done")
                self._stop_here()
        context.model_path = "model.bin"
        return StepResult(success=True, data={"epochs": EPOCHS})

    def _stop_here(self) -> None:
        if self.mode == "failing":
            raise ValueError("the loss is not finite")
        if self.mode == "killed":
            print(json.dumps({"samples": SAMPLES}), flush=True)
            time.sleep(600)

    def rollback(self, context: TrainContext, result: StepResult) -> None:
        context.log_message("the weights are thrown away", "danger")


def main(mode: str) -> None:
    registry: StepRegistry[TrainContext] = StepRegistry()
    for step in (Load(), Check(), Train(mode)):
        registry.register(step)
    with synapse_otel.job(
        "train",
        plugin="digits",
        version="1.2.0",
        job_id=os.environ["JOB_ID"],
        category="neural_net",
        checkpoint={"category": "base", "path": "models/base.bin"},
        params={"epochs": EPOCHS, "learning_rate": 0.1},
        logger=NoOpLogger(),
    ) as ctx:
        ctx.log_message("training begins")
        print(json.dumps({"trace": f"{ctx.job.root.span.get_span_context().trace_id:032x}"}), flush=True)
        Orchestrator(registry, TrainContext(runtime_ctx=ctx)).execute()
        ctx.end_log()
    print(json.dumps({"samples": SAMPLES}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
