"""What a Python process does when it starts with ``SYNAPSE_OTEL_INSTRUMENT=true``: it instruments the Synapse SDK.

The package's ``.pth`` file imports this module, as nothing else reaches the processes that Ray starts. Nothing but
hooks is set here; the SDK, requests and httpx are instrumented when somebody imports them.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import entry_points
from types import ModuleType
from typing import Final

_ON: Final = frozenset({"true", "1", "yes", "on", "t", "y"})  # as pydantic reads it
_CLIENTS: Final = ("requests", "httpx")
_GROUP: Final = "opentelemetry_instrumentor"
_DISABLED: Final = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"


def activate() -> None:
    """Set the hooks, unless the variables say that nothing is to be instrumented."""
    if _variable("SYNAPSE_OTEL_INSTRUMENT") not in _ON or _variable("OTEL_SDK_DISABLED") == "true":
        return
    disabled = {name.strip() for name in _variable(_DISABLED).split(",")}
    if "*" in disabled:
        return
    import wrapt

    if "synapse_sdk" not in disabled:
        wrapt.when_imported("synapse_sdk")(_instrument_sdk)
    for client in _CLIENTS:
        if client not in disabled:
            wrapt.when_imported(client)(_instrument_client)


def _variable(name: str) -> str:
    return os.environ.get(name, "").strip().lower()


def _instrument_sdk(_package: ModuleType) -> None:
    from opentelemetry.instrumentation.dependencies import DependencyConflictError

    from synapse_otel.integrations.synapse_sdk import SynapseInstrumentor

    if SynapseInstrumentor().is_instrumented_by_opentelemetry:
        return
    try:
        SynapseInstrumentor().instrument(raise_exception_on_conflict=True)
    except DependencyConflictError as error:
        sys.stderr.write(f"synapse-otel: plugins on the Synapse SDK are not recorded: {error}\n")


def _instrument_client(package: ModuleType) -> None:
    """Instrument an HTTP client as `opentelemetry-instrument` would, so that a plugin's requests join its trace."""
    for entry in entry_points(group=_GROUP, name=package.__name__):
        instrumentor = entry.load()()
        if not instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.instrument()
