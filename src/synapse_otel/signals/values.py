"""Values of users as OpenTelemetry can carry them: readable, bounded, and never an exception."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from enum import Enum
from os import PathLike, fspath
from typing import Any, Final

TEXT_LIMIT: Final = 16_384
"""Characters of a text; what is longer is cut, and says so."""
ITEM_LIMIT: Final = 1_000
"""Items of a list, or keys of a nested mapping."""
KEY_LIMIT: Final = 256
"""Characters of a key."""
ATTRIBUTE_LIMIT: Final = 120
"""Attributes of one record; OpenTelemetry's own limit is 128, and the record has some of its own."""
DEPTH_LIMIT: Final = 8
_INT_MIN: Final = -(1 << 63)
_INT_MAX: Final = (1 << 63) - 1
_PLAIN: Final = frozenset({bool, float, type(None)})


def cut(text: str, limit: int = TEXT_LIMIT) -> str:
    """Return ``text``, at most ``limit`` characters of it and a mark that says how long it was."""
    return text if len(text) <= limit else f"{text[:limit]}... [cut: {len(text)} characters]"


def readable(value: object) -> Any:
    """Return ``value`` as an attribute value: scalar, text, or list and mapping of such."""
    return _readable(value, DEPTH_LIMIT, ())


def _readable(value: object, depth: int, above: tuple[int, ...]) -> Any:
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Enum):
        return _readable(value.value, depth, above)
    for types, convert in _CONVERSIONS:
        if isinstance(value, types):
            return convert(value)
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        if id(value) in above:
            return "<cycle>"
        if not depth:
            return described(value)
        return _collection(value, depth - 1, (*above, id(value)))
    return _foreign(value, depth, above)


_CONVERSIONS: Final[tuple[tuple[Any, Callable[[Any], Any]], ...]] = (
    (str, lambda text: cut(str(text))),
    (int, lambda number: int(number) if _INT_MIN <= number <= _INT_MAX else cut(str(number))),
    (float, float),
    (bytes | bytearray | memoryview, lambda raw: cut(bytes(raw[: TEXT_LIMIT + 1]).decode("utf-8", "backslashreplace"))),
    (datetime | date | time, lambda moment: moment.isoformat()),
    (timedelta, timedelta.total_seconds),
)


def _collection(value: Any, depth: int, above: tuple[int, ...]) -> Any:
    if isinstance(value, Mapping):
        pairs = list(value.items())
        kept = {key_text(key): _readable(item, depth, above) for key, item in pairs[:ITEM_LIMIT]}
        if len(pairs) > ITEM_LIMIT:
            kept["..."] = f"[cut: {len(pairs)} keys]"
        return kept
    items = list(value)
    if isinstance(value, set | frozenset):
        items.sort(key=described)
    kept_items = [_readable(item, depth, above) for item in items[:ITEM_LIMIT]]
    if len(items) > ITEM_LIMIT:
        kept_items.append(f"[cut: {len(items)} items]")
    return kept_items


def _foreign(value: object, depth: int, above: tuple[int, ...]) -> Any:
    """Array scalars and small arrays by their own conversion, paths by theirs, anything else by its repr."""
    if isinstance(value, PathLike):
        return _readable(fspath(value), depth, above)
    if isinstance(value, BaseException):
        return cut(f"{type(value).__name__}: {described(value, str)}")
    if is_array(value):
        size = getattr(value, "size", None)
        count = size() if callable(size) else size
        elements = count if isinstance(count, int) else _product(count)
        if elements <= ITEM_LIMIT:
            return _readable(value.tolist(), depth, above)  # type: ignore[attr-defined]
    return described(value)


def _product(sizes: Any) -> int:
    product = 1
    for size in sizes if isinstance(sizes, Iterable) else ():
        product *= int(size)
    return product


def is_array(value: object) -> bool:
    """Say whether ``value`` is an array or array scalar in the manner of numpy and torch."""
    return hasattr(value, "tolist") and hasattr(value, "shape") and hasattr(value, "dtype")


def described(value: object, form: Any = repr) -> str:
    """Return the repr of anything, within the limit; of an object whose repr fails, its type."""
    try:
        return cut(form(value))
    except Exception as error:  # noqa: BLE001 - a repr of a user's class may raise anything
        return f"<{type(value).__name__}, unprintable: {type(error).__name__}>"


def key_text(key: object) -> str:
    """Return a mapping's key as text, within the limit."""
    text = key if type(key) is str else str(_readable(key, 1, ()))
    return cut(text, KEY_LIMIT)


def flatten(prefix: str, data: Mapping[Any, Any]) -> dict[str, Any]:
    """Return ``data`` as attributes under ``prefix``, nested mappings flattened with dots, within the limit."""
    flat: dict[str, Any] = {}
    left = _flatten_into(flat, prefix, data, ())
    if left:
        flat[f"{prefix}..."] = f"[cut: {left} more attributes]"
    return flat


def _flatten_into(flat: dict[str, Any], prefix: str, data: Mapping[Any, Any], above: tuple[int, ...]) -> int:
    left = 0
    for key, value in data.items():
        name = prefix + key_text(key)
        nested = isinstance(value, Mapping) and bool(value)
        if nested and id(value) not in above and len(above) < DEPTH_LIMIT:
            left += _flatten_into(flat, f"{name}.", value, (*above, id(value)))
        elif len(flat) >= ATTRIBUTE_LIMIT:
            left += 1
        else:
            flat[name] = attribute_value(value, above)
    return left


def attribute_value(value: object, above: tuple[int, ...] = ()) -> Any:
    """Return ``value`` as a scalar or a list of scalars; a list of anything else becomes JSON text."""
    found = _readable(value, DEPTH_LIMIT, above)
    if isinstance(found, dict) or (isinstance(found, list) and any(isinstance(item, list | dict) for item in found)):
        return cut(json.dumps(found, ensure_ascii=False))
    return found
