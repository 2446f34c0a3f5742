"""Training."""

from __future__ import annotations

from synapse_otel.plugins.actions.train.context import TrainContext, TrainProgressCategories

__all__ = ["TrainContext", "TrainProgressCategories"]
