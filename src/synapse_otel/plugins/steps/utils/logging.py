"""A step whose begin, end and rollback are events."""

from __future__ import annotations

from time import perf_counter
from typing import ClassVar

from synapse_otel.plugins.steps.base import C, StepResult
from synapse_otel.plugins.steps.utils.wrapped import WrappedStep


class LoggingStep(WrappedStep[C]):
    """Logs ``step_start``, ``step_end`` (with the seconds that it took) and ``step_rollback`` around another step."""

    PREFIX: ClassVar[str] = "logged_"

    def execute(self, context: C) -> StepResult:
        """Run the inner step between two events."""
        name = self._wrapped.name
        context.log("step_start", {"step": name})
        start = perf_counter()
        result = self._wrapped.execute(context)
        elapsed = round(perf_counter() - start, 3)
        end = {"step": name, "elapsed": elapsed, "success": result.success, "skipped": result.skipped}
        context.log("step_end", end)
        return result

    def rollback(self, context: C, result: StepResult) -> None:
        """Log the rollback, and do it."""
        context.log("step_rollback", {"step": self._wrapped.name})
        self._wrapped.rollback(context, result)
