"""A step around another: everything but what a subclass changes is the inner step's."""

from __future__ import annotations

from typing import ClassVar

from synapse_otel.plugins.steps.base import BaseStep, C, StepResult


class WrappedStep(BaseStep[C]):
    """Runs another step.

    Args:
        step: the other.
    """

    PREFIX: ClassVar[str] = ""
    """Stands before the inner step's name."""

    def __init__(self, step: BaseStep[C]) -> None:
        self._wrapped = step

    @property
    def name(self) -> str:
        """Name of the inner step with the prefix."""
        return self.PREFIX + self._wrapped.name

    @property
    def progress_weight(self) -> float:
        """Weight of the inner step."""
        return self._wrapped.progress_weight

    @property
    def progress_proportion(self) -> int:
        """Proportion of the inner step."""
        return self._wrapped.progress_proportion

    def execute(self, context: C) -> StepResult:
        """Run the inner step."""
        return self._wrapped.execute(context)

    def can_skip(self, context: C) -> bool:
        """Ask the inner step."""
        return self._wrapped.can_skip(context)

    def rollback(self, context: C, result: StepResult) -> None:
        """Roll the inner step back."""
        self._wrapped.rollback(context, result)
