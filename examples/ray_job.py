"""A job whose work is done by tasks and actors of Ray, all in one trace: `python examples/ray_job.py`.

It starts Ray on this machine, or goes to the cluster that RAY_ADDRESS names. docs/ray.md tells more.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import synapse_otel
from synapse_otel.integrations.ray import working
from synapse_otel.plugins.actions.train import TrainContext
from synapse_otel.plugins.context import RuntimeContext
from synapse_otel.plugins.steps import BaseStep, Orchestrator, StepRegistry, StepResult

try:
    import ray
except ImportError:
    sys.exit("this example needs Ray: pip install 'ray>=2.50'")

SHARDS = 4
WORKERS = 2
EPOCHS = 5


@ray.remote
def convert(ctx: RuntimeContext, shard: int) -> int:
    """Do one of several parts; the driver says how many there are."""
    ctx.log_message(f"shard {shard} converted", "success")
    return 100 + shard


@ray.remote
def batches(ctx: RuntimeContext, count: int) -> Iterator[int]:
    """Yield one batch after the other, as a map over batches does."""
    for number in range(1, count + 1):
        ctx.set_progress(number, count, "batches")
        yield number


@ray.remote(num_cpus=0.5)
class Trainer:
    """One of a group that train together: each tells how far it is, and the job's progress is their sum."""

    def __init__(self, ctx: RuntimeContext, rank: int) -> None:
        self.ctx, self.rank = ctx, rank

    def train(self, epochs: int) -> float:
        """Train, and report after each epoch."""
        loss = 1.0
        with working(self.ctx):
            for epoch in range(1, epochs + 1):
                loss /= 1 + self.rank / 10 + epoch / 10
                self.ctx.set_progress(epoch, epochs, "epochs")
                self.ctx.set_metrics({"loss": loss}, f"rank {self.rank}")
        return loss


class Convert(BaseStep[TrainContext]):
    """Has tasks do the parts of a whole."""

    name = "convert"
    progress_weight = 0.4

    def execute(self, context: TrainContext) -> StepResult:
        waiting = [convert.remote(context.runtime_ctx, shard) for shard in range(SHARDS)]
        while waiting:
            _done, waiting = ray.wait(waiting)
            context.set_progress(SHARDS - len(waiting), SHARDS)
        for _batch in batches.options(num_returns="streaming").remote(context.runtime_ctx, 3):
            pass
        return StepResult()


class Train(BaseStep[TrainContext]):
    """Has a group of actors train together."""

    name = "train"
    progress_weight = 0.6

    def execute(self, context: TrainContext) -> StepResult:
        group = [Trainer.remote(context.runtime_ctx, rank) for rank in range(WORKERS)]
        losses = ray.get([trainer.train.remote(EPOCHS) for trainer in group])
        context.log_message(f"trained, best loss {min(losses):.3f}", "success")
        return StepResult()


def main() -> None:
    """Run the job."""
    if "RAY_ADDRESS" in os.environ:
        ray.init()
    else:
        ray.init(num_cpus=2, include_dashboard=False, object_store_memory=100 << 20)
    registry = StepRegistry[TrainContext]()
    registry.register(Convert())
    registry.register(Train())
    try:
        with synapse_otel.job("train", plugin="ray-example", version="1.0.0") as ctx:
            Orchestrator(registry, TrainContext(ctx, params={"epochs": EPOCHS})).execute()
    finally:
        ray.shutdown()


if __name__ == "__main__":
    main()
