"""Steps that add something to another, or check what it needs."""

from __future__ import annotations

from synapse_otel.plugins.steps.utils.logging import LoggingStep
from synapse_otel.plugins.steps.utils.timing import TimingStep
from synapse_otel.plugins.steps.utils.validation import ValidationStep

__all__ = ["LoggingStep", "TimingStep", "ValidationStep"]
