"""What a plugin is given to run with."""

from __future__ import annotations

from synapse_otel.plugins.context.env import PluginEnvironment
from synapse_otel.plugins.context.runtime import RuntimeContext

__all__ = ["PluginEnvironment", "RuntimeContext"]
