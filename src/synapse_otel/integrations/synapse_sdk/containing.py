"""The guard between telemetry and the SDK: our failures are reported once and never reach the plugin."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec

from synapse_otel._guard import contain
from synapse_otel.notices import Check, explained_by, say_once

P = ParamSpec("P")


def report(error: Exception) -> None:
    """Hold back a failure of telemetry, and say it the first time.

    Raises:
        Exception: `error`, where a test asks for it, or a signal's handler has raised it.
    """
    contain(error)
    say_once(
        f"the Synapse SDK's calls are not recorded: {type(error).__name__}: {error}; {explained_by(Check.ENVIRONMENT)}"
    )


def contained(function: Callable[P, Any]) -> Callable[P, None]:
    """Return a function whose failures are held back; its result is dropped."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - nothing of ours ever raises into the SDK
            report(error)

    return call
