"""What a workflow has produced, as the fields of its context tell it."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sized
from dataclasses import MISSING, fields, is_dataclass
from typing import Any


def products_of(context: object, names: Collection[str]) -> dict[str, Any]:
    """Return the fields of a context that differ from their defaults; of a list, its length.

    Args:
        context: a dataclass' instance; anything else has produced nothing.
        names: of the fields that tell of what was produced.
    """
    if not is_dataclass(context):
        return {}
    produced: dict[str, Any] = {}
    for each in fields(context):
        if each.name in names:
            value = getattr(context, each.name)
            if value is not None and value != _default(each):
                produced[each.name] = _measure(value)
    return produced


def _default(each: Any) -> Any:
    return each.default if each.default_factory is MISSING else each.default_factory()


def _measure(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return len(value) if isinstance(value, Sized) and not isinstance(value, str | bytes | Mapping) else value
