"""Pre-annotation: data added to tasks before somebody annotates them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from synapse_otel.plugins.steps.context import BaseStepContext

__all__ = ["AddTaskDataContext", "AddTaskDataProgressCategories", "ToTaskContext"]


class AddTaskDataProgressCategories:
    """Usual names of the phases of a pre-annotation."""

    FETCH_TASKS: Final = "fetch_tasks"
    PREPARE: Final = "prepare"
    ANNOTATE_TASK_DATA: Final = "annotate_task_data"
    FINALIZE: Final = "finalize"


@dataclass
class AddTaskDataContext(BaseStepContext):
    """What the steps of a pre-annotation share.

    Attributes:
        params: what the job was asked to do.
        data_collection: what the platform knows of the project's data.
        task_ids: the tasks.
        inference: what the tasks' data is inferred with.
        batch_size: number of tasks at once; None for one after the other.
        failures: what went wrong, by task.
        success_count: number of tasks that have their data.
        failed_count: number of tasks that could not get it.
    """

    PRODUCTS: ClassVar[tuple[str, ...]] = ("params", "task_ids", "failures", "success_count", "failed_count")

    params: dict[str, Any] = field(default_factory=dict)
    data_collection: dict[str, Any] | None = None
    task_ids: list[int] = field(default_factory=list)
    inference: dict[str, Any] | None = None
    batch_size: int | None = None
    failures: list[dict[str, Any]] = field(default_factory=list)
    success_count: int = 0
    failed_count: int = 0

    @property
    def total_tasks(self) -> int:
        """Number of tasks."""
        return len(self.task_ids)


ToTaskContext = AddTaskDataContext
"""The same under its newer name."""
