"""Jobs whose work Ray Tune, Ray Data and Ray Train spread: ``libraries.py FOLDER``, by a Python that has them."""

from __future__ import annotations

import sys
from typing import Any

import ray
import ray.data
import ray.train
import synapse_otel
from ray import tune
from ray.train.data_parallel_trainer import DataParallelTrainer
from synapse_otel.plugins.context import RuntimeContext

RATES = (0.5, 0.25)
ROWS = 100
RANKS = 2


def trial(config: dict[str, Any], ctx: RuntimeContext) -> None:
    """One trial of a search."""
    for epoch in (1, 2):
        ctx.set_progress(epoch, 2, category="trial")
        ctx.set_metrics({"loss": config["rate"] / epoch}, f"rate {config['rate']}")
        tune.report({"loss": config["rate"] / epoch})


class Double:
    """Doubles what a batch holds."""

    def __init__(self, ctx: RuntimeContext) -> None:
        self.ctx = ctx

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        self.ctx.log("batch", {"rows": len(batch["id"])})
        return {"id": batch["id"] * 2}


def rank(config: dict[str, Any]) -> None:
    """One process of a training."""
    ctx: RuntimeContext = config["ctx"]
    number = ray.train.get_context().get_world_rank()
    for epoch in (1, 2):
        ctx.set_progress(epoch, 2, category="epochs")
        ctx.set_metrics({"loss": 1 / epoch}, f"rank {number}")
        ray.train.report({"loss": 1 / epoch})


def main(folder: str) -> None:
    """Run a job with each library."""
    ray.init(num_cpus=RANKS + 1, include_dashboard=False, logging_level="ERROR")
    ray.data.DataContext.get_current().enable_progress_bars = False
    with synapse_otel.job("search", plugin="libraries", job_id="tune") as ctx:
        tune.Tuner(
            tune.with_parameters(trial, ctx=ctx),
            param_space={"rate": tune.grid_search(list(RATES))},
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        ).fit()
    with synapse_otel.job("prepare", plugin="libraries", job_id="data") as ctx:
        doubled = ray.data.range(ROWS).map_batches(Double, fn_constructor_args=(ctx,), batch_size=25, concurrency=2)
        ctx.log("sum", {"of": sum(row["id"] for row in doubled.take_all())})
    with synapse_otel.job("train", plugin="libraries", job_id="train") as ctx:
        DataParallelTrainer(
            rank,
            train_loop_config={"ctx": ctx},
            scaling_config=ray.train.ScalingConfig(num_workers=RANKS),
            run_config=ray.train.RunConfig(storage_path=folder),
        ).fit()


if __name__ == "__main__":
    main(sys.argv[1])
