"""The SDK's own requests to the platform: no spans of them, where HTTP clients are instrumented, unless asked for.

What a plugin requests itself stays in the job's trace.
"""

from __future__ import annotations

import functools
import inspect
from contextlib import AbstractContextManager, nullcontext
from types import ModuleType
from typing import Any, Final

from opentelemetry.instrumentation.utils import suppress_http_instrumentation

from synapse_otel.integrations.synapse_sdk.containing import report
from synapse_otel.integrations.synapse_sdk.patches import Patches

_REQUESTING: Final = ("_request", "_request_long_poll")


def suppress_requests(module: ModuleType, patches: Patches) -> None:
    """Make no spans of what the clients of a module request through their own method for it."""
    patches.on_undo(_spans_are_wanted.cache_clear)
    for owner in _classes_of(module):
        for name in _REQUESTING:
            if name in vars(owner):
                patches.replace(owner, name, _suppressed)


def suppress_every_request(module: ModuleType, patches: Patches) -> None:
    """Make no spans of what the clients of a module request, whose public methods do it each for itself."""
    patches.on_undo(_spans_are_wanted.cache_clear)
    for owner in _classes_of(module):
        for name, value in list(vars(owner).items()):
            yields = inspect.isgeneratorfunction(value) or inspect.isasyncgenfunction(value)
            if inspect.isfunction(value) and not name.startswith("_") and not yields:
                patches.replace(owner, name, _suppressed)


@functools.cache
def _spans_are_wanted() -> bool:
    """Ask the settings, at the first request: reading them takes longer than all that the import does."""
    try:
        from synapse_otel.settings import load_settings

        return load_settings().sdk_request_spans
    except Exception as error:  # noqa: BLE001 - nothing of ours ever raises into the SDK
        report(error)
        return False


def _quietly() -> AbstractContextManager[None]:
    return nullcontext() if _spans_are_wanted() else suppress_http_instrumentation()


def _classes_of(module: ModuleType) -> list[type]:
    return [each for each in vars(module).values() if inspect.isclass(each) and each.__module__ == module.__name__]


def _suppressed(original: Any) -> Any:
    if inspect.iscoroutinefunction(original):

        @functools.wraps(original)
        async def request_later(*args: Any, **kwargs: Any) -> Any:
            with _quietly():
                return await original(*args, **kwargs)

        return request_later

    @functools.wraps(original)
    def request(*args: Any, **kwargs: Any) -> Any:
        with _quietly():
            return original(*args, **kwargs)

    return request
