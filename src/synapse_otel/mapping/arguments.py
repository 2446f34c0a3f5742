"""Checks of arguments: a mistake of the caller is raised at once, with the argument and its value."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

from synapse_otel._guard import guarded, let_through
from synapse_otel._text import described


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


def is_progress(current: Any, total: Any) -> bool:
    """Return whether ``0 <= current <= total`` and ``total > 0``, also of numbers that do not compare exactly."""
    return guarded(
        lambda: 0 <= to_float("current", current) <= to_float("total", total) > 0,
        otherwise=lambda _error: False,  # no numbers: `progress_error` says so
    )


def progress_error(current: object, total: object) -> Exception:
    """Return the error about a wrong progress."""
    try:
        to_float("current", current)
        limit = to_float("total", total)
    except (TypeError, ValueError) as error:
        return error
    if not limit > 0:
        return ValueError(f"total must be greater than 0, got {described(total)}")
    return ValueError(f"current must be from 0 to total ({described(total)}), got {described(current)}")


def to_float(argument: str, value: Any) -> float:
    """Return a number as a float: Python's own, or one of numpy and the like.

    Raises:
        TypeError: it is not a number.
        ValueError: it is an integer that is too large for a float.
    """
    try:
        if isinstance(value, Real) or (hasattr(value, "__float__") and not isinstance(value, str)):
            return float(value)
    except Exception as error:
        let_through(error)
        if type(error) is OverflowError:
            msg = f"{argument} must fit into a float, got {described(value)}"
            raise ValueError(msg) from error
        msg = f"{argument} must be a number, not {described(value)}"
        raise TypeError(msg) from error
    msg = f"{argument} must be a number, not {described(value)}"
    raise TypeError(msg)
