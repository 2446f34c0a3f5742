"""Pre-annotation at the module path of its newer name."""

from __future__ import annotations

from synapse_otel.plugins.actions.to_task.context import ToTaskContext

__all__ = ["ToTaskContext"]
