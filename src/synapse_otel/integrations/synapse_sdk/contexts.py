"""The SDK's `RuntimeContext`: its logger is known from the start, and it takes its job along where it is pickled."""

from __future__ import annotations

import functools
import pickle
from types import ModuleType
from typing import Any, Final

from synapse_otel.integrations.synapse_sdk.containing import report
from synapse_otel.integrations.synapse_sdk.loggers import instrument_logger_class
from synapse_otel.integrations.synapse_sdk.patches import Patches
from synapse_otel.mapping.current import current_or_none

_JOB: Final = "_synapse_otel_job"
"""What a pickled context has besides its fields: the job, pickled for itself, so that it may stay unread."""


def instrument_contexts(module: ModuleType, patches: Patches) -> None:
    """Follow the contexts of ``synapse_sdk.plugins.context``."""

    def initialising(original: Any) -> Any:
        @functools.wraps(original)
        def initialise(self: Any, *args: Any, **kwargs: Any) -> None:
            original(self, *args, **kwargs)
            _know(self, patches)

        return initialise

    def set_state(self: Any, state: dict[str, Any]) -> None:
        job = state.pop(_JOB, None)
        vars(self).update(state)
        _know(self, patches)
        _take_up(job)

    patches.replace(module.RuntimeContext, "__init__", initialising)
    patches.add(module.RuntimeContext, "__getstate__", _state_of)
    patches.add(module.RuntimeContext, "__setstate__", set_state)


def _know(context: Any, patches: Patches) -> None:
    """Have everything recorded that a context is told, also outside of an action, and by a logger of the plugin's own.

    A logger that is none of the SDK's is a proxy of one, or shows what nobody but the plugin knows of.
    """
    try:
        from synapse_sdk.loggers import BaseLogger

        from synapse_otel.runtime.job import configure

        configure()
        logger = getattr(context, "logger", None)
        if issubclass(type(logger), BaseLogger):
            instrument_logger_class(type(logger), BaseLogger, patches)
    except Exception as error:  # noqa: BLE001 - nothing of ours ever raises into the SDK
        report(error)


def _state_of(context: Any) -> dict[str, Any]:
    state = dict(vars(context))
    try:
        scope = current_or_none()
        if scope is not None and not scope.job.is_detached:
            state[_JOB] = pickle.dumps(scope)
    except Exception as error:  # noqa: BLE001 - as above: it goes without its job
        report(error)
    return state


def _take_up(job: bytes | None) -> None:
    try:
        if job is not None:
            pickle.loads(job)  # noqa: S301 - came in the same pickle as the context; what it makes sets itself up
    except Exception as error:  # noqa: BLE001 - as above
        report(error)
