"""Inference, and the deployment of what infers."""

from __future__ import annotations

from synapse_otel.plugins.actions.inference.context import (
    DeploymentContext,
    DeploymentProgressCategories,
    InferenceContext,
    InferenceProgressCategories,
)

__all__ = ["DeploymentContext", "DeploymentProgressCategories", "InferenceContext", "InferenceProgressCategories"]
