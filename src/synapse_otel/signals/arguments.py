"""Checks of arguments: a mistake of the caller is raised at once, with the argument and its value."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

from synapse_otel.signals.values import described


def check_name(argument: str, value: object) -> None:
    """Raise unless ``value`` is text that is not empty."""
    if not isinstance(value, str):
        msg = f"{argument} must be text, not {described(value)}"
        raise TypeError(msg)
    if not value.strip():
        msg = f"{argument} must not be empty, got {value!r}"
        raise ValueError(msg)


def check_mapping(argument: str, value: object) -> None:
    """Raise unless ``value`` is a mapping."""
    if not isinstance(value, Mapping):
        msg = f"{argument} must be a mapping, not {described(value)}"
        raise TypeError(msg)


def progress_error(current: object, total: object) -> Exception:
    """Return the error that says what is wrong with a progress."""
    for argument, value in (("current", current), ("total", total)):
        if not is_number(value):
            return TypeError(f"{argument} must be a number, not {described(value)}")
    number: Any = total
    if not number > 0:
        return ValueError(f"total must be greater than 0, got {total!r}")
    return ValueError(f"current must be from 0 to total ({total!r}), got {current!r}")


def is_number(value: object) -> bool:
    """Say whether ``value`` is a real number: Python's own, or one of numpy and the like."""
    return isinstance(value, Real) or (hasattr(value, "__float__") and not isinstance(value, str))
