"""What a Python process does when it starts with ``SYNAPSE_OTEL_INSTRUMENT=true``: it instruments the Synapse SDK.

The package's ``.pth`` file imports this module, as nothing else reaches the processes that Ray starts. It waits until
somebody imports the SDK, requests or httpx: a process that does not pays next to nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Final

from synapse_otel.notices import say

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

_ON: Final = frozenset({"true", "1", "yes", "on", "t", "y"})  # as pydantic reads it
_SDK: Final = "synapse_sdk"
_CLIENTS: Final = {
    "requests": ("opentelemetry.instrumentation.requests", "RequestsInstrumentor"),
    "httpx": ("opentelemetry.instrumentation.httpx", "HTTPXClientInstrumentor"),
}
"""HTTP clients, and what instruments each where it is installed; to look through all entry points takes longer."""
_DISABLED: Final = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"


def activate() -> None:
    """Set the hooks, unless the variables say that nothing is to be instrumented."""
    if _variable("SYNAPSE_OTEL_INSTRUMENT") not in _ON or _variable("OTEL_SDK_DISABLED") == "true":
        return
    disabled = {name.strip() for name in _variable(_DISABLED).split(",")}
    if "*" in disabled:
        return
    wanted = {name for name in (_SDK, *_CLIENTS) if name not in disabled}
    if any(name in sys.modules for name in wanted):
        _follow(wanted)
    elif wanted:
        sys.meta_path.insert(0, _Waiting(wanted))


class _Waiting:
    """A finder of modules that waits for the first import of a package that is followed: following takes its time."""

    def __init__(self, wanted: set[str]) -> None:
        self._wanted = wanted

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None, /
    ) -> ModuleSpec | None:
        """Find nothing; once such a package is looked for, have it followed, and look for it again."""
        if name not in self._wanted or self not in sys.meta_path:
            return None
        from importlib.util import find_spec

        sys.meta_path.remove(self)
        try:
            _follow(self._wanted)
        except Exception as error:  # noqa: BLE001 - whatever becomes of the telemetry, the import goes on
            say(f"{name} is not instrumented: {type(error).__name__}: {error}")
        return find_spec(name)


def _follow(wanted: set[str]) -> None:
    import wrapt

    for name in wanted:
        wrapt.when_imported(name)(_instrument_sdk if name == _SDK else _instrument_client)


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
        say(f"plugins on the Synapse SDK are not recorded: {error}")


def _instrument_client(package: ModuleType) -> None:
    """Instrument an HTTP client as `opentelemetry-instrument` would, so that a plugin's requests join its trace."""
    from importlib import import_module
    from importlib.util import find_spec

    module, name = _CLIENTS[package.__name__]
    if find_spec(module) is None:
        return
    instrumentor = getattr(import_module(module), name)()
    if not instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.instrument()
