"""Pre-annotation: data added to tasks before somebody annotates them."""

from __future__ import annotations

from synapse_otel.plugins.actions.add_task_data.context import (
    AddTaskDataContext,
    AddTaskDataProgressCategories,
    ToTaskContext,
)

__all__ = ["AddTaskDataContext", "AddTaskDataProgressCategories", "ToTaskContext"]
