"""Values of users as OpenTelemetry can carry them: readable, bounded, and never an exception."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from enum import Enum
from functools import partial
from itertools import islice
from math import prod
from numbers import Real
from os import PathLike, fspath
from typing import Any, Final

from synapse_otel._guard import guarded, let_through
from synapse_otel._text import TEXT_LIMIT, cut, described, titled, unprintable
from synapse_otel.journal.state_block import slot_text
from synapse_otel.mapping.names import free_name
from synapse_otel.redaction import redact_nested

ITEM_LIMIT: Final = 1_000
"""Items of a list, or keys of a nested mapping."""
KEY_LIMIT: Final = 104
"""Bytes of a key in UTF-8; longer ones are cut, with a digest."""
NAME_LIMIT: Final = 120
"""Bytes of an attribute name that is joined from keys, cut in the same way: a log store may accept at most 128, and
ignore the whole record."""
ATTRIBUTE_LIMIT: Final = 120
"""Attributes of one record; OpenTelemetry's own limit is 128, and we add some attributes."""
DEPTH_LIMIT: Final = 8
ALL_ITEMS_LIMIT: Final = 10_000
"""Items of all lists and mappings in what one call was given, however they are nested."""
ALL_TEXT_LIMIT: Final = 1 << 18
"""Characters of all texts in it."""
_INT_MIN: Final = -(1 << 63)
_INT_MAX: Final = (1 << 63) - 1
_DECIMAL_BITS: Final = 10_000
"""Python refuses to write much longer integers in decimal."""
_SHORT_KEY: Final = 64
_PLAIN: Final = frozenset({bool, float, type(None)})


class _Room:
    """The remaining limit for the values of one call."""

    __slots__ = ("characters", "items")

    def __init__(self) -> None:
        self.characters = ALL_TEXT_LIMIT
        self.items = ALL_ITEMS_LIMIT

    def text(self, text: str) -> str:
        """Return as much of a text as there is room for."""
        kept = cut(text, max(0, min(TEXT_LIMIT, self.characters)))
        self.characters -= len(kept)
        return kept

    def item(self) -> bool:
        """Use the space of an item, if there is any."""
        self.items -= 1
        return self.items >= 0


def readable(value: object) -> Any:
    """Return ``value`` as an attribute value: scalar, text, or list and mapping of such."""
    return _readable(value, DEPTH_LIMIT, (), _Room())


def _readable(value: object, depth: int, above: tuple[int, ...], room: _Room) -> Any:
    if type(value) in _PLAIN:
        return value
    try:
        return _converted(value, depth, above, room)
    except Exception as error:  # noqa: BLE001 - a user's class may raise anything from anything
        let_through(error)
        return unprintable(value, error)


def _converted(value: object, depth: int, above: tuple[int, ...], room: _Room) -> Any:
    if isinstance(value, Enum):
        return _readable(value.value, depth, above, room)
    for types, convert in _CONVERSIONS:
        if isinstance(value, types):
            return convert(value, room)
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        if id(value) in above:
            return "<cycle>"
        if not depth:
            return f"[cut: {type(value).__name__} of {len(value)}]"
        return _collection(value, depth - 1, (*above, id(value)), room)
    return _foreign(value, depth, above, room)


def _integer(value: int, room: _Room) -> int | str:
    if _INT_MIN <= value <= _INT_MAX:
        return int(value)
    return room.text(str(value) if value.bit_length() < _DECIMAL_BITS else hex(value))


def _bytes(value: bytes | bytearray | memoryview, room: _Room) -> str:
    return room.text(bytes(value[: TEXT_LIMIT + 1]).decode("utf-8", "backslashreplace"))


_CONVERSIONS: Final[tuple[tuple[Any, Callable[[Any, _Room], Any]], ...]] = (
    (str, lambda text, room: room.text(str(text))),
    (int, _integer),
    (float, lambda number, _room: float(number)),
    (bytes | bytearray | memoryview, _bytes),
    (datetime | date | time, lambda moment, _room: moment.isoformat()),
    (timedelta, lambda duration, _room: duration.total_seconds()),
)


def _collection(value: Any, depth: int, above: tuple[int, ...], room: _Room) -> Any:
    first = islice(value.items() if isinstance(value, Mapping) else value, ITEM_LIMIT)
    if isinstance(value, Mapping):
        kept: dict[str, Any] = {}
        for key, item in first:
            if room.item():
                kept[free_name(key_text(key), kept)] = _readable(item, depth, above, room)
        if len(kept) < len(value):
            kept["..."] = f"[cut: {len(value)} keys]"
        return kept
    items = sorted(first, key=described) if isinstance(value, set | frozenset) else first
    kept_items = [_readable(item, depth, above, room) for item in items if room.item()]
    if len(kept_items) < len(value):
        kept_items.append(f"[cut: {len(value)} items]")
    return kept_items


def _foreign(value: object, depth: int, above: tuple[int, ...], room: _Room) -> Any:
    """Array scalars and small arrays by their own conversion, paths by theirs, anything else by its repr."""
    if isinstance(value, PathLike):
        return _readable(fspath(value), depth, above, room)
    if isinstance(value, BaseException):
        return room.text(titled(type(value).__name__, described(value, str)))
    if is_array(value) and array_size(value) <= ITEM_LIMIT:
        plain = value.tolist()  # type: ignore[attr-defined]
        if type(plain) is not type(value):
            return _readable(plain, depth, above, room)
        if isinstance(value, Real):  # numpy.longdouble: Python has no number of its own for it
            return float(value)
    return room.text(described(value))


def array_size(value: Any) -> int:
    """Return the number of elements of an array; in torch, ``size`` is a method that returns one number a dimension."""
    size = value.size() if callable(value.size) else value.size
    return size if isinstance(size, int) else prod(int(length) for length in size)


def is_array(value: object) -> bool:
    """Return whether ``value`` is an array or array scalar like those of numpy and torch."""
    return hasattr(value, "tolist") and hasattr(value, "shape") and hasattr(value, "dtype")


def key_text(key: object) -> str:
    """Return a mapping's key as text, within the limit."""
    text = key if type(key) is str else str(_readable(key, 1, (), _Room()))
    return text if len(text) <= _SHORT_KEY and text.isascii() else slot_text(text, KEY_LIMIT)


def flatten(prefix: str, data: Mapping[Any, Any]) -> dict[str, Any]:
    """Return ``data`` as attributes under ``prefix``, nested mappings flattened with dots, within the limits."""
    flat: dict[str, Any] = {}
    room = _Room()
    left = guarded(_flatten_into, flat, prefix, data, (id(data),), room, otherwise=partial(unprintable, data))
    if isinstance(left, str):
        flat[f"{prefix}..."] = left
    elif left:
        more = f"more than {left}" if room.items < 0 else f"{left} more"
        flat[f"{prefix}..."] = f"[cut: {more} attributes]"
    return flat


def _flatten_into(
    flat: dict[str, Any], prefix: str, data: Mapping[Any, Any], above: tuple[int, ...], room: _Room
) -> int:
    left = 0
    for key, value in data.items():
        if not room.item():
            return left + 1
        name = prefix + key_text(key)
        nested = isinstance(value, Mapping) and bool(value)
        if nested and id(value) not in above and len(above) < DEPTH_LIMIT:
            left += _flatten_into(flat, f"{name}.", value, (*above, id(value)), room)
        elif len(flat) >= ATTRIBUTE_LIMIT:
            left += 1
        else:
            flat[free_name(slot_text(name, NAME_LIMIT), flat)] = _attribute_value(value, above, room)
    return left


def _attribute_value(value: object, above: tuple[int, ...], room: _Room) -> Any:
    """Return ``value`` as a scalar or a list of scalars; a list of anything else becomes JSON text."""
    found = _readable(value, DEPTH_LIMIT, above, room)
    if isinstance(found, dict) or (isinstance(found, list) and any(isinstance(item, list | dict) for item in found)):
        return cut(json.dumps(redact_nested(found), ensure_ascii=False))
    return found
