"""Checks of arguments: a mistake of the caller is raised at once, with the argument and its value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any, Final

from synapse_otel._guard import guarded, let_through
from synapse_otel._text import described, one_line
from synapse_otel.redaction import redact_text


def check_name(argument: str, value: object) -> None:
    """Raise unless ``value`` is text that is not empty."""
    if not isinstance(value, str):
        msg = f"{argument} must be text, not {described(value)}"
        raise TypeError(msg)
    if not value.strip():
        msg = f"{argument} must not be empty, got {value!r}"
        raise ValueError(msg)


def check_event(value: object) -> None:
    """Raise unless ``value`` is text that is not empty."""
    if type(value) is not str or not value:
        check_name("event", value)


LABEL_LIMIT: Final = 100
"""Characters of a run's name, and of a tag; a longer one is cut."""
TAG_LIMIT: Final = 64
"""Tags of a run."""


def label(argument: str, value: object) -> str:
    """Return a name or tag on one line: without control characters and secrets, and at most `LABEL_LIMIT` long.

    Raises:
        TypeError: it is not text.
        ValueError: nothing of it can be shown.
    """
    check_name(argument, value)
    shown = one_line(redact_text(str(value)), LABEL_LIMIT)
    if not shown:
        msg = f"{argument} must have a character that can be shown, got {described(value)}"
        raise ValueError(msg)
    return shown


def labels(argument: str, values: object) -> tuple[str, ...]:
    """Return tags, each one once.

    Raises:
        TypeError: it is one text, or something in it is no text.
        ValueError: one of them is empty, or there are too many.
    """
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        msg = f"{argument} must be a list of texts, not {described(values)}"
        raise TypeError(msg)
    found = tuple(dict.fromkeys(label(f"each of {argument}", value) for value in values))
    if len(found) > TAG_LIMIT:
        msg = f"{argument} must be at most {TAG_LIMIT}, got {len(found)}"
        raise ValueError(msg)
    return found


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
