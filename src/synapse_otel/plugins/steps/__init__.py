"""Workflows of steps: what a step is, in which order steps run, and how their run is recorded."""

from __future__ import annotations

from synapse_otel.plugins.steps.base import BaseStep, StepResult
from synapse_otel.plugins.steps.context import BaseStepContext
from synapse_otel.plugins.steps.orchestrator import Orchestrator
from synapse_otel.plugins.steps.registry import StepRegistry
from synapse_otel.plugins.steps.utils import LoggingStep, TimingStep, ValidationStep

__all__ = [
    "BaseStep",
    "BaseStepContext",
    "LoggingStep",
    "Orchestrator",
    "StepRegistry",
    "StepResult",
    "TimingStep",
    "ValidationStep",
]
