"""A step that checks what the steps after it need."""

from __future__ import annotations

from collections.abc import Callable

from synapse_otel.plugins.steps.base import BaseStep, C, StepResult


class ValidationStep(BaseStep[C]):
    """Fails if what the steps share is not as it should be.

    Args:
        validator: gets the context, returns whether it is valid and, if not, what is wrong.
        name: of the step.
        progress_weight: share of the whole.
    """

    def __init__(
        self,
        validator: Callable[[C], tuple[bool, str | None]],
        name: str = "validate",
        progress_weight: float = 0.05,
    ) -> None:
        self._validator = validator
        self._name = name
        self._progress_weight = progress_weight

    @property
    def name(self) -> str:
        """Name of the step."""
        return self._name

    @property
    def progress_weight(self) -> float:
        """Share of the whole."""
        return self._progress_weight

    def execute(self, context: C) -> StepResult:
        """Check, and fail with what is wrong."""
        valid, error = self._validator(context)
        return StepResult() if valid else StepResult(success=False, error=error)
