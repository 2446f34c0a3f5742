"""Data of users as attributes: of an event, and of a step's outputs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from synapse_otel import semconv
from synapse_otel._guard import let_through
from synapse_otel._text import cut, iso_time
from synapse_otel.mapping.names import free_name
from synapse_otel.mapping.values import flatten, key_text

_PLAIN: Final = frozenset({float, bool, type(None)})
_FEW: Final = 32
_SHORT: Final = 1_024
_NAMES_KEPT: Final = 1_024
_LARGE: Final = 1 << 62
_SPAN_TYPES: Final = (str, bool, int, float)


class EventData:
    """Adds data to the attributes of records; remembers the attribute's name for each key."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def add(self, attributes: dict[str, Any], data: Mapping[Any, Any]) -> None:
        """Add the caller's data to a record's attributes; plain values the short way."""
        if len(data) > _FEW:
            attributes.update(flatten(semconv.DATA_PREFIX, data))
            return
        names = self._names
        for key, value in data.items():
            kind = type(value)
            if type(key) is not str:
                attributes.update(flatten(semconv.DATA_PREFIX, data))  # as a whole: names may come twice
                return
            if kind in _PLAIN or (kind is str and len(value) < _SHORT) or (kind is int and -_LARGE < value < _LARGE):
                try:
                    attributes[names[key]] = value
                except KeyError:
                    attributes[self._name(key)] = value
            elif isinstance(value, Mapping):
                attributes.update(flatten(semconv.DATA_PREFIX, data))  # as above
                return
            else:
                attributes.update(flatten(semconv.DATA_PREFIX, {key: value}))

    def _name(self, key: str) -> str:
        name = semconv.DATA_PREFIX + key_text(key)
        if len(self._names) < _NAMES_KEPT:
            self._names[key] = name
        return name


def product_attributes(products: Mapping[str, Any]) -> dict[str, Any]:
    """Return a step's outputs as span attributes; its ``params`` have a separate prefix."""
    attributes: dict[str, Any] = {}
    for key, value in products.items():
        if value is not None and not (isinstance(value, Mapping) and not value):
            for name, item in flatten(semconv.PRODUCT_PREFIX, {key: value}).items():
                attributes[free_name(name, attributes)] = item
    return {
        key: value if isinstance(value, _SPAN_TYPES) else json.dumps(value, ensure_ascii=False)
        for key, value in attributes.items()
    }


def add_file(attributes: dict[str, Any], file: str | os.PathLike[str]) -> None:
    """Add a file's path, its size and time if it exists, and of a relative path the working directory.

    Raises:
        TypeError: ``file`` is not a path.
    """
    try:
        path = os.fspath(file)
    except TypeError as error:
        msg = f"file must be a path, not {file!r}"
        raise TypeError(msg) from error
    text = path if isinstance(path, str) else os.fsdecode(path)
    attributes[semconv.FILE_PATH] = cut(text)
    try:
        if not text.startswith(os.sep):
            attributes[semconv.FILE_DIRECTORY] = cut(os.getcwd())  # noqa: PTH109 - a third of the cost
        found = Path(text).stat()
        attributes[semconv.FILE_SIZE] = found.st_size
        attributes[semconv.FILE_MODIFIED] = iso_time(found.st_mtime_ns)
    except (
        OSError,
        ValueError,
        OverflowError,
    ) as error:  # a file or directory that is not there (yet); no path, as it holds a zero
        let_through(error)
