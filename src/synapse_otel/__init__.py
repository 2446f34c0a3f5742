"""The RuntimeContext API of Synapse plugins on OpenTelemetry: nothing lost, about a microsecond a call."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synapse_otel._version import __version__
    from synapse_otel.plugins.context import PluginEnvironment, RuntimeContext
    from synapse_otel.plugins.models.logger import LogLevel
    from synapse_otel.runtime.child_environment import child_environment
    from synapse_otel.runtime.job import configure, job
    from synapse_otel.settings import SettingsError

__all__ = [
    "LogLevel",
    "PluginEnvironment",
    "RuntimeContext",
    "SettingsError",
    "__version__",
    "child_environment",
    "configure",
    "job",
]

_HOMES = {
    "LogLevel": "synapse_otel.plugins.models.logger",
    "PluginEnvironment": "synapse_otel.plugins.context",
    "RuntimeContext": "synapse_otel.plugins.context",
    "SettingsError": "synapse_otel.settings",
    "__version__": "synapse_otel._version",
    "child_environment": "synapse_otel.runtime.child_environment",
    "configure": "synapse_otel.runtime.job",
    "job": "synapse_otel.runtime.job",
}


if not TYPE_CHECKING:  # a type checker would take any name for one of ours

    def __getattr__(name: str) -> Any:
        """Load a public name when it is first used: the shipper needs none, and importing this costs nothing."""
        home = _HOMES.get(name)
        if home is None:
            msg = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(msg)
        value = getattr(import_module(home), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return __all__
