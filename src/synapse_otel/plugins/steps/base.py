"""What a step of a workflow is, and what it returns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, TypeVar

from synapse_otel.plugins.steps.result import StepResult

if TYPE_CHECKING:
    from synapse_otel.plugins.steps.context import BaseStepContext

__all__ = ["BaseStep", "StepResult"]

C = TypeVar("C", bound="BaseStepContext")


class BaseStep(ABC, Generic[C]):
    """One step of a workflow; ``C`` is the context that the workflow's steps share."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Name of the step, also the category of what it records."""

    @property
    def progress_weight(self) -> float:
        """Share of the whole, relative to the other steps' weights; 0 or more."""
        return 1.0

    @property
    def progress_proportion(self) -> int:
        """Share of the job in percent on the platform; 0 leaves the step out there."""
        return 0

    @abstractmethod
    def execute(self, context: C) -> StepResult:
        """Do the work.

        Args:
            context: what the workflow's steps share.
        """

    def can_skip(self, context: C) -> bool:  # noqa: ARG002 - for those who override it
        """Return whether there is nothing to do."""
        return False

    def rollback(self, context: C, result: StepResult) -> None:
        """Undo the work, after this step or one after it has failed.

        Args:
            context: what the workflow's steps share.
            result: what `execute` returned.
        """
