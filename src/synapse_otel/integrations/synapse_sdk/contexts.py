"""The SDK's `RuntimeContext`: its logger is known from the start, and it takes its job along where it is pickled."""

from __future__ import annotations

import functools
import pickle
from types import ModuleType
from typing import Any, Final

from synapse_otel.integrations.synapse_sdk.containing import report
from synapse_otel.integrations.synapse_sdk.loggers import instrument_logger_class
from synapse_otel.integrations.synapse_sdk.patches import Patches
from synapse_otel.signals.active import scope_or_none

_JOB: Final = "_synapse_otel_job"
"""What a pickled context has besides its fields: the job, pickled for itself, so that it may stay unread."""


def instrument_contexts(module: ModuleType, patches: Patches) -> None:
    """Follow the contexts of ``synapse_sdk.plugins.context``."""
    context = module.RuntimeContext

    def initialising(original: Any) -> Any:
        @functools.wraps(original)
        def initialise(self: Any, *args: Any, **kwargs: Any) -> None:
            original(self, *args, **kwargs)
            try:
                _know(self.logger, patches)
            except Exception as error:  # noqa: BLE001 - nothing of ours ever raises into the SDK
                report(error)

        return initialise

    patches.replace(context, "__init__", initialising)
    patches.add(context, "__getstate__", _state_of)
    patches.add(context, "__setstate__", _set_state)


def _know(logger: Any, patches: Patches) -> None:
    """Have a logger's class recorded, if it is a plugin's own; and all of it, also outside of an action."""
    from synapse_otel.lifecycle import configure

    configure()
    from synapse_sdk.loggers import BaseLogger  # loaded by then: the logger is made by it

    if isinstance(logger, BaseLogger):
        instrument_logger_class(type(logger), BaseLogger, patches)


def _state_of(context: Any) -> dict[str, Any]:
    state = dict(vars(context))
    try:
        scope = scope_or_none()
        if scope is not None and not scope.job.is_detached:
            state[_JOB] = pickle.dumps(scope)
    except Exception as error:  # noqa: BLE001 - as above: it goes without its job
        report(error)
    return state


def _set_state(context: Any, state: dict[str, Any]) -> None:
    job = state.pop(_JOB, None)
    vars(context).update(state)
    try:
        if job is not None:
            pickle.loads(job)  # noqa: S301 - as trustworthy as the pickled context that it came in; it sets the job up
        _know_again(context)
    except Exception as error:  # noqa: BLE001 - as above
        report(error)


def _know_again(context: Any) -> None:
    """Look at the logger of a context that came without having been made here."""
    logger = vars(context).get("logger")
    if logger is not None:
        type(context).__init__.__wrapped__  # noqa: B018 - placeholder
