"""Steps in threads, pools of threads and asyncio's tasks: what belongs where. ``python threads_and_tasks.py``."""

from __future__ import annotations

import asyncio
import contextvars
from concurrent.futures import ThreadPoolExecutor

import synapse_otel
from synapse_otel import RuntimeContext
from synapse_otel.plugins.steps import BaseStep, BaseStepContext, Orchestrator, StepRegistry, StepResult


class Download(BaseStep[BaseStepContext]):
    """A pool that one step uses: what its threads record belongs to the step, which is the one begun last."""

    name = "download"

    def execute(self, context: BaseStepContext) -> StepResult:
        """Download four files."""
        with ThreadPoolExecutor(2) as pool:
            for number in range(4):
                pool.submit(context.log_message, f"file {number}")
        return StepResult()


class Convert(BaseStep[BaseStepContext]):
    """A pool that several steps or jobs use at a time: take along where the work was submitted."""

    name = "convert"

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.pool = pool

    def execute(self, context: BaseStepContext) -> StepResult:
        """Convert two files."""
        here = contextvars.copy_context()
        self.pool.submit(here.run, context.runtime_ctx.log_message, "converted in a pool of all").result()
        return StepResult()


class Publish(BaseStep[BaseStepContext]):
    """Tasks, and what they do in threads, belong to the step: asyncio takes the context along."""

    name = "publish"

    def execute(self, context: BaseStepContext) -> StepResult:
        """Publish three files at a time."""

        async def publish(number: int) -> None:
            context.log_message(f"task {number}")
            await asyncio.to_thread(context.log_message, f"thread of task {number}")

        async def all_files() -> None:
            await asyncio.gather(*[publish(number) for number in range(3)])

        asyncio.run(all_files())
        return StepResult()


def run_steps(ctx: RuntimeContext, pool: ThreadPoolExecutor) -> None:
    """Run the steps of one job."""
    registry = StepRegistry[BaseStepContext]()
    for step in (Download(), Convert(pool), Publish()):
        registry.register(step)
    Orchestrator(registry, BaseStepContext(ctx)).execute()


def run_job(name: str, pool: ThreadPoolExecutor) -> None:
    """Run a job in a thread of its own; each is a trace of its own."""
    with synapse_otel.job("upload", plugin=name, job_id=name) as ctx:
        run_steps(ctx, pool)


def main() -> None:
    """Run two jobs at a time, which share a pool."""
    with ThreadPoolExecutor(2) as shared, ThreadPoolExecutor(2) as jobs:
        for done in [jobs.submit(run_job, name, shared) for name in ("left", "right")]:
            done.result()


if __name__ == "__main__":
    main()
