"""How a step context calls a runtime context that is not ours: by the signatures of the Synapse SDK."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from synapse_otel.plugins.context import RuntimeContext
from synapse_otel.plugins.models.logger import LogLevel, level_named

LOG = RuntimeContext.log
LOG_MESSAGE = RuntimeContext.log_message
LOG_DEV_EVENT = RuntimeContext.log_dev_event
SET_METRICS = RuntimeContext.set_metrics

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def is_ours(method: Any, own: Callable[..., Any]) -> bool:
    """Say whether a method is ``own``: not a double's, not an override's, and not patched."""
    return getattr(method, "__func__", None) is own


def log_as_sdk(method: Any, event: str, data: Any, file: Any, level: LogLevel | str, category: str | None) -> None:
    """Call ``log`` as the SDK does: newer releases pass the level, older ones have none.

    Args:
        method: of the double.
        event: name of the event.
        data: what belongs to it.
        file: path of a file that it is about.
        level: how it is meant.
        category: one that is not the current step; None if it is.
    """
    meant = level_named(level)
    forms = _with_category((event, data, file), {"level": meant}, category)
    if meant is LogLevel.INFO:
        forms += _with_category((event, data, file), {}, category)
    _call_first_that_fits(method, forms)


def log_message_as_sdk(
    method: Any,
    message: Any,
    level: LogLevel | str | None,
    category: str | None,
    step: str | None,
    arguments: dict[str, Any],
) -> None:
    """Call ``log_message`` as the SDK does, which names the current step; older releases do not.

    Args:
        method: of the double.
        message: text, or what becomes one.
        level: how it is meant; info if not said.
        category: one that is not the current step; None if it is.
        step: the current step.
        arguments: for the ``{name}`` in the template.
    """
    meant = LogLevel.INFO if level is None else level_named(level)
    if category is not None:
        forms = _with_category((message, meant), arguments, category)
    else:
        forms = [((message, meant), {"step": step, **arguments}), ((message, meant), arguments)]
    _call_first_that_fits(method, forms)


def log_dev_event_as_sdk(method: Any, message: str, data: Any, category: str | None) -> None:
    """Call ``log_dev_event`` as the SDK does; arguments as of `log_as_sdk`."""
    _call_first_that_fits(method, _with_category((message, data), {}, category))


def _with_category(positional: tuple[Any, ...], named: dict[str, Any], category: str | None) -> list[Arguments]:
    """Return the ways to pass a category; it is never left out where there is one."""
    if category is None:
        return [(positional, named)]
    return [(positional, {**named, spelling: category}) for spelling in ("category", "step")]


def _call_first_that_fits(method: Any, forms: list[Arguments]) -> None:
    """Call with the first arguments that the method takes; with the first of all if none fit or nothing is known."""
    try:
        signature = inspect.signature(method)
    except (TypeError, ValueError):
        signature = None
    positional, named = next((form for form in forms if signature is not None and _fits(signature, form)), forms[0])
    method(*positional, **named)


def _fits(signature: inspect.Signature, form: Arguments) -> bool:
    try:
        signature.bind(*form[0], **form[1])
    except TypeError:
        return False
    return True
