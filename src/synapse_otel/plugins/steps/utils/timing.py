"""A step that says how long it took."""

from __future__ import annotations

from time import perf_counter
from typing import ClassVar

from synapse_otel.plugins.steps.base import C, StepResult
from synapse_otel.plugins.steps.utils.wrapped import WrappedStep


class TimingStep(WrappedStep[C]):
    """Adds ``duration_seconds`` to the data of another step's result."""

    PREFIX: ClassVar[str] = "timed_"

    def execute(self, context: C) -> StepResult:
        """Run the inner step and measure it."""
        start = perf_counter()
        result = self._wrapped.execute(context)
        result.data["duration_seconds"] = round(perf_counter() - start, 6)
        return result
