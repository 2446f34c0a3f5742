"""The steps of a workflow, in their order."""

from __future__ import annotations

from typing import Generic

from synapse_otel.plugins.steps.base import BaseStep, C


class StepRegistry(Generic[C]):
    """An ordered list of steps. Names may repeat; what looks for a name takes the first."""

    def __init__(self) -> None:
        self._steps: list[BaseStep[C]] = []

    def register(self, step: BaseStep[C]) -> None:
        """Add a step at the end."""
        self._steps.append(step)

    def unregister(self, name: str) -> None:
        """Remove every step of this name; none is no error."""
        self._steps = [step for step in self._steps if step.name != name]

    def insert_before(self, before_name: str, step: BaseStep[C]) -> None:
        """Add a step before another.

        Raises:
            ValueError: there is no step of this name.
        """
        self._steps.insert(self._place(before_name), step)

    def insert_after(self, after_name: str, step: BaseStep[C]) -> None:
        """Add a step after another.

        Raises:
            ValueError: there is no step of this name.
        """
        self._steps.insert(self._place(after_name) + 1, step)

    def get_steps(self) -> list[BaseStep[C]]:
        """Return the steps in order, as a list of the caller's own."""
        return list(self._steps)

    @property
    def total_weight(self) -> float:
        """Sum of the steps' weights."""
        return sum(step.progress_weight for step in self._steps)

    def get_step_proportions(self) -> dict[str, int]:
        """Return each step's share of the job on the platform, without those that have none."""
        return {step.name: step.progress_proportion for step in self._steps if step.progress_proportion > 0}

    def get_step_orders(self) -> dict[str, int]:
        """Return each step's place, from 0."""
        return {step.name: place for place, step in enumerate(self._steps)}

    def __len__(self) -> int:
        """Return the number of steps."""
        return len(self._steps)

    def _place(self, name: str) -> int:
        for place, step in enumerate(self._steps):
            if step.name == name:
                return place
        msg = f"there is no step {name!r}, only {', '.join(repr(step.name) for step in self._steps) or 'none'}"
        raise ValueError(msg)
