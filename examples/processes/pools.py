"""Parts of a step by multiprocessing: a process, a Pool, or an executor. ``python pools.py HOW [fork|spawn|...]``."""

from __future__ import annotations

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

import synapse_otel
from synapse_otel import RuntimeContext
from synapse_otel.plugins.steps import BaseStep, BaseStepContext, Orchestrator, StepRegistry, StepResult


def convert(ctx: RuntimeContext, part: int) -> None:
    """Do one part, in whichever process."""
    ctx.log_message(f"part {part} is converted")
    ctx.set_metrics({"size": part * 10}, category="convert")
    ctx.set_progress(1, 1, category=f"part {part}")


class Convert(BaseStep[BaseStepContext]):
    """Hands its context to other processes."""

    name = "convert"

    def __init__(self, how: str, method: str) -> None:
        self.how = how
        self.context = multiprocessing.get_context(method)

    def execute(self, context: BaseStepContext) -> StepResult:
        """Convert four parts, two at a time."""
        parts = [(context.runtime_ctx, part) for part in range(4)]
        if self.how == "process":
            processes = [self.context.Process(target=convert, args=part) for part in parts]
            for process in processes:
                process.start()
            for process in processes:
                process.join()
        elif self.how == "pool":
            with self.context.Pool(2) as pool:
                pool.starmap(convert, parts)
        else:
            with ProcessPoolExecutor(2, mp_context=self.context) as executor:
                list(executor.map(convert, *zip(*parts, strict=True)))
        return StepResult()


def main(how: str, method: str) -> None:
    """Run a job of one step."""
    with synapse_otel.job("convert", plugin="images", job_id=f"{how}-{method}") as ctx:
        registry = StepRegistry[BaseStepContext]()
        registry.register(Convert(how, method))
        Orchestrator(registry, BaseStepContext(ctx)).execute()


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["executor", "spawn"]))
