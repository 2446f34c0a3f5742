"""Values of metrics: which are finite numbers, which are NaN or infinite, and which are no numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

from synapse_otel._guard import guarded, let_through
from synapse_otel.mapping.names import free_name
from synapse_otel.mapping.values import DEPTH_LIMIT, array_size, is_array, key_text


def sort_values(value: Mapping[Any, Any]) -> tuple[dict[str, float], dict[str, str], dict[str, Any]]:
    """Return finite numbers, other numbers as text, and other values; nested names joined with dots."""
    numbers: dict[str, float] = {}
    nonfinite: dict[str, str] = {}
    others: dict[str, Any] = {}
    seen: set[str] = set()
    for found, item in _items("", value, (id(value),)):
        name = free_name(found, seen)
        seen.add(name)
        number = as_number(item)
        if number is None:
            others[name] = item
        elif math.isfinite(number):
            numbers[name] = number
        else:
            nonfinite[name] = str(number)
    return numbers, nonfinite, others


def _items(prefix: str, value: Mapping[Any, Any], above: tuple[int, ...]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, item in value.items():
        name = prefix + key_text(key)
        if isinstance(item, Mapping) and item and id(item) not in above and len(above) < DEPTH_LIMIT:
            found += _items(f"{name}.", item, (*above, id(item)))
        else:
            found.append((name, item))
    return found


def as_number(value: object) -> float | None:
    """Return a number, or an array with one element, as a float (bool as 0 or 1); None for anything else."""
    try:
        return _number(value)
    except Exception as error:  # noqa: BLE001 - a user's class may raise anything from anything
        let_through(error)
        return guarded(_infinite, value, otherwise=_none) if isinstance(error, OverflowError) else None


def _infinite(value: Any) -> float:
    """Return what stands for an integer that is too large."""
    return math.inf if value > 0 else -math.inf


def _none(_error: Exception) -> None:
    """Stand for what is no number."""


def _number(value: Any) -> float | None:
    if isinstance(value, bool | int | float):
        return float(value)
    if is_array(value):
        if array_size(value) != 1:
            return None
        value = value.tolist()
        while isinstance(value, list):
            (value,) = value
        return float(value) if isinstance(value, Real) else None
    if isinstance(value, str | bytes) or not hasattr(value, "__float__"):
        return None
    return float(value)
