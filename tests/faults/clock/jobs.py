"""Jobs whose wall clock is set while they run: ``python jobs.py SECONDS SECONDS...``, one shift a round."""

from __future__ import annotations

import os
import signal
import sys

from opentelemetry import trace
from sitecustomize import shift_seconds

import synapse_otel
from synapse_otel.loggers import NoOpLogger
from synapse_otel.plugins.steps import BaseStep, BaseStepContext, Orchestrator, StepRegistry, StepResult

EACH = 20
"""Messages and samples of a round."""


class Jump(BaseStep[BaseStepContext]):
    """A step within which the clock is set."""

    progress_weight = 1.0

    def __init__(self, number: int, shift: float) -> None:
        self._number = number
        self._shift = shift

    @property
    def name(self) -> str:
        return f"jump {self._number}"

    def execute(self, context: BaseStepContext) -> StepResult:
        ctx = context.runtime_ctx
        with trace.get_tracer("another").start_as_current_span(f"span of another {self._number}"):
            shift_seconds[0] = self._shift
        for at in range(EACH):
            number = self._number * EACH + at
            ctx.log_message(f"message {number}")
            ctx.set_metrics({"loss": float(number)}, "train")
            ctx.set_progress(number + 1, 10 * EACH)
        return StepResult()


def main() -> None:
    shifts = [float(argument) for argument in sys.argv[1:]]
    shift_seconds[0] = shifts[0]
    with synapse_otel.job("train", plugin="demo", logger=NoOpLogger()) as ctx:
        registry = StepRegistry[BaseStepContext]()
        for number, shift in enumerate(shifts[1:]):
            registry.register(Jump(number, shift))
        Orchestrator(registry, BaseStepContext(ctx)).execute()
        if os.environ.get("KILLED"):
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
