"""A job that shows everything a dashboard asks for; says its trace id once it has come to its middle.

Run as a script: ``demo_job.py ENDING``; the ending is good, or failing, or waiting (for a kill), or ticking (it goes on
until it is killed).
"""

import json
import math
import os
import sys
import time
from dataclasses import dataclass
from itertools import count

import synapse_otel
from synapse_otel.loggers import NoOpLogger
from synapse_otel.plugins.actions.train import TrainContext
from synapse_otel.plugins.steps import BaseStep, Orchestrator, StepRegistry, StepResult

EPOCHS = 20
IMAGES = 50
LONG = 1_000_000


@dataclass
class Load(BaseStep[TrainContext]):
    name = "load"
    progress_weight = 0.2

    def execute(self, context: TrainContext) -> StepResult:
        for done in range(1, IMAGES + 1):
            context.set_progress(done, IMAGES)
        context.log("dataset", {"images": IMAGES})
        context.log_message("all images are loaded", "success")
        return StepResult(success=True)


@dataclass
class Train(BaseStep[TrainContext]):
    ending: str
    trace_id: str
    name = "train"
    progress_weight = 0.8

    def execute(self, context: TrainContext) -> StepResult:
        for epoch in range(EPOCHS):
            context.set_metrics({"loss": 1 / (epoch + 1), "accuracy": epoch / EPOCHS})
            context.set_progress(epoch + 1, EPOCHS)
            if epoch == EPOCHS // 2:
                context.set_metrics({"gradient": math.nan})
                context.log_message("the loss falls slowly", "warning")
                print(json.dumps({"trace": self.trace_id}), flush=True)
                self._end(context)
        return StepResult(success=True)

    def _end(self, context: TrainContext) -> None:
        if self.ending == "failing":
            raise ValueError("the loss is not finite")
        if self.ending == "waiting":
            sys.stdin.read()
        for done in count(EPOCHS // 2 + 2) if self.ending == "ticking" else ():
            context.set_progress(done, LONG)
            time.sleep(0.05)


def main(ending: str) -> None:
    with synapse_otel.job(
        "train",
        plugin=os.environ["PLUGIN"],
        version=os.environ["VERSION"],
        job_id=os.environ["JOB_ID"],
        tags=["demo"],
        logger=NoOpLogger(),
    ) as ctx:
        trace_id = f"{ctx.job.root.span.get_span_context().trace_id:032x}"
        registry: StepRegistry[TrainContext] = StepRegistry()
        for step in (Load(), Train(ending, trace_id)):
            registry.register(step)
        Orchestrator(registry, TrainContext(runtime_ctx=ctx)).execute()


if __name__ == "__main__":
    main(sys.argv[1])
