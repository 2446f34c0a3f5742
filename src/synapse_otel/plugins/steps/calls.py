"""How a step context calls a runtime context that is not ours: by the signatures of the Synapse SDK."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from enum import Enum
from functools import partial
from types import FunctionType, MethodType
from typing import Any

from synapse_otel.plugins.context import RuntimeContext
from synapse_otel.plugins.models.logger import LogLevel, level_named

LOG = RuntimeContext.log
LOG_MESSAGE = RuntimeContext.log_message
LOG_DEV_EVENT = RuntimeContext.log_dev_event
SET_METRICS = RuntimeContext.set_metrics

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def is_ours(method: Any, own: Callable[..., Any]) -> bool:
    """Return whether a method is ``own``: not a double's, not an override's, and not patched."""
    return getattr(method, "__func__", None) is own


def log_as_sdk(method: Any, record: tuple[str, Any, Any], level: LogLevel | str, category: str | None) -> None:
    """Call ``log`` as the SDK does: newer releases pass the level, older ones have none.

    Args:
        method: of the double.
        record: name of the event, what belongs to it, path of a file that it is about.
        level: how it is meant.
        category: one that is not the current step; None if it is.
    """
    forms = _with_category(record, {"level": _as_enum(level)}, category)
    if level_named(level) is LogLevel.INFO:
        forms += _with_category(record, {}, category)
    _call_first_that_fits(method, forms)


def log_message_as_sdk(
    method: Any,
    meant: tuple[Any, LogLevel | str | None],
    arguments: dict[str, Any],
    category: str | None,
    step: str | None,
) -> None:
    """Call ``log_message`` as the SDK does, which names the current step; a double may leave that out.

    Args:
        method: of the double.
        meant: the message, and how it is meant: info if not said.
        arguments: for the ``{name}`` in the template.
        category: one that is not the current step; None if it is.
        step: the current step.
    """
    message, level = meant
    positional = (message, LogLevel.INFO if level is None else _as_enum(level))
    forms = _with_category(positional, arguments, category)
    if category is None:
        forms.insert(0, (positional, {"step": step, **arguments}))
    _call_first_that_fits(method, forms)


def log_dev_event_as_sdk(method: Any, message: str, data: Any, category: str | None) -> None:
    """Call ``log_dev_event`` as the SDK does; arguments as of `log_as_sdk`."""
    _call_first_that_fits(method, _with_category((message, data), {}, category))


def _as_enum(level: LogLevel | str) -> Enum:
    """Return the enum's member that was given, which may be the SDK's own; for a word, ours."""
    known = level_named(level)
    return level if isinstance(level, Enum) else known


def _with_category(positional: tuple[Any, ...], named: dict[str, Any], category: str | None) -> list[Arguments]:
    """Return the ways to pass a category; it is never left out where there is one."""
    if category is None:
        return [(positional, named)]
    return [(positional, {**named, spelling: category}) for spelling in ("step", "category")]


def _call_first_that_fits(method: Any, forms: list[Arguments]) -> None:
    """Call with the first arguments that the method takes; with the last, the fewest, if it takes none of them."""
    signature = _signature_of(method)
    fitting = (form for form in forms if signature is None or _fits(signature, form))
    positional, named = next(fitting, forms[-1])
    method(*positional, **named)


def _signature_of(method: Any) -> inspect.Signature | None:
    """Return the signature without asking a mock for anything, which would be one of its calls."""
    if not isinstance(method, FunctionType | MethodType | partial):
        kind = type(method)
        specified = getattr(kind, "__signature__", None)
        if isinstance(specified, inspect.Signature):
            return specified
        method = MethodType(kind.__call__, method)
    try:
        return inspect.signature(method)
    except (TypeError, ValueError):
        return None


def _fits(signature: inspect.Signature, form: Arguments) -> bool:
    try:
        signature.bind(*form[0], **form[1])
    except TypeError:
        return False
    return True
