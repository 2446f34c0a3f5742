"""`SynapseInstrumentor`: which parts of the SDK are followed, each when the plugin imports it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined] # not in __all__

from synapse_otel.integrations.synapse_sdk.containing import report
from synapse_otel.integrations.synapse_sdk.patches import Patches
from synapse_otel.notices import say_once

_SDK: Final = "synapse_sdk"
_OURS: Final = "synapse_otel.integrations.synapse_sdk"


@dataclass(frozen=True)
class Hook:
    """A module of the SDK's, and the function of ours that follows it: ``module:name``."""

    module: str
    follow: str
    optional: bool = False
    """Not every tested version has the module."""


HOOKS: Final = (
    Hook("loggers", "loggers:instrument_loggers"),
    Hook("plugins.context", "contexts:instrument_contexts"),
    Hook("plugins.action", "actions:instrument_actions"),
    Hook("plugins.actions.inference.serve", "actions:instrument_deployments"),
    Hook("plugins.steps.orchestrator", "workflow:instrument_workflows"),
    Hook("plugins.executors.ray.base", "submitting:instrument_runtime_env"),
    Hook("plugins.executors.ray.task", "submitting:instrument_actors"),
    Hook("plugins.executors.ray.job", "submitting:instrument_actor_jobs"),
    Hook("plugins.executors.ray.jobs_api", "submitting:instrument_jobs"),
    Hook("plugins.executors.ray.pipeline", "submitting:instrument_pipelines"),
    Hook("plugins.actions.train.tune", "submitting:instrument_trials", optional=True),
    Hook("clients.base", "own_requests:suppress_requests"),
    Hook("clients.agent", "own_requests:suppress_requests"),
    Hook("clients.backend_v2.client", "own_requests:suppress_requests", optional=True),
    Hook("clients.backend_v2.async_client", "own_requests:suppress_requests", optional=True),
    Hook("clients.pipeline.client", "own_requests:suppress_every_request"),
)


class SynapseInstrumentor(BaseInstrumentor):  # type: ignore[misc] # which mypy therefore does not see
    """Instruments the Synapse SDK, and so every plugin written for it.

    Nothing of the SDK is imported for it: each of its modules is followed once the plugin has imported it.
    `uninstrument` puts everything back. An SDK that is not installed, or too old, is refused with a line in the log.
    """

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return what can be instrumented."""
        return ("synapse-sdk >= 2026.1.50",)

    def _instrument(self, **_kwargs: Any) -> None:
        import wrapt  # which loads asyncio: importing this module must not

        self._patches: Patches | None = Patches()
        for hook in HOOKS:
            self._follow(hook, self._patches)
        wrapt.when_imported(_SDK)(_tell_missing_modules)

    def _follow(self, hook: Hook, patches: Patches) -> None:
        import wrapt

        def imported(module: ModuleType) -> None:
            if getattr(self, "_patches", None) is not patches:
                return  # uninstrumented, or instrumented again, before the plugin imported it
            try:
                before = len(patches.missing)
                _loaded(hook)(module, patches)
                if patches.missing[before:]:
                    _tell_missing(patches.missing[before:])
            except Exception as error:  # noqa: BLE001 - nothing of ours ever raises into the SDK
                report(error)

        wrapt.when_imported(f"{_SDK}.{hook.module}")(imported)

    def _uninstrument(self, **_kwargs: Any) -> None:
        patches, self._patches = self._patches, None
        if patches is not None:
            patches.undo()


def _loaded(hook: Hook) -> Callable[[ModuleType, Patches], None]:
    module, _, name = hook.follow.partition(":")
    function: Callable[[ModuleType, Patches], None] = getattr(import_module(f"{_OURS}.{module}"), name)
    return function


def _tell_missing_modules(package: ModuleType) -> None:
    """Say which modules this version of the SDK does not have; they are looked for as files, not imported."""
    roots = [Path(root) for root in package.__path__]
    wanted = {hook.module for hook in HOOKS if not hook.optional}
    missing = [name for name in sorted(wanted) if not any(_stands(root, name) for root in roots)]
    if missing:
        _tell_missing([f"{_SDK}.{name}" for name in missing])


def _stands(root: Path, module: str) -> bool:
    path = root.joinpath(*module.split("."))
    return path.is_dir() or any(path.parent.glob(f"{path.name}.*"))


def _tell_missing(names: Collection[str]) -> None:
    say_once(f"this version of the Synapse SDK has no {', '.join(names)}: calls to it are not recorded")
