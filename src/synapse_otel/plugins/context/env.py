"""`PluginEnvironment`: the settings that a plugin runs with, from the process, a mapping or a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar, overload

from synapse_otel.plugins.context.env_file import read_env_file

__all__ = ["PluginEnvironment"]

T = TypeVar("T")
_TRUE: Final = frozenset({"true", "t", "1", "yes", "y", "on"})
_FALSE: Final = frozenset({"false", "f", "0", "no", "n", "off", ""})


class PluginEnvironment:
    """Values by key, read as the type that the caller needs.

    Args:
        data: the values; copied.

    Raises:
        TypeError: ``data`` is no mapping.
    """

    def __init__(self, data: Mapping[str, Any] | None = None) -> None:
        if data is not None and not isinstance(data, Mapping):
            msg = f"data must be a mapping, not {data!r}"
            raise TypeError(msg)
        self._data: dict[str, Any] = dict(data or {})

    @classmethod
    def from_environ(cls, prefix: str = "", *, prefixes: tuple[str, ...] | None = None) -> PluginEnvironment:
        """Take the variables of this process.

        Args:
            prefix: only those that begin with it, and without it.
            prefixes: only those that begin with one of them, with their whole names; ``prefix`` is then not used.
        """
        if prefixes:
            chosen = tuple(prefixes)
            return cls({key: value for key, value in os.environ.items() if key.startswith(chosen)})
        return cls({key[len(prefix) :]: value for key, value in os.environ.items() if key.startswith(prefix)})

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> PluginEnvironment:
        """Read a file: ``.json``, ``.env`` (also ``.env.local`` and the like), anything else as TOML.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it cannot be read as what it is; the message says where.
        """
        return cls(read_env_file(Path(path)))

    @classmethod
    def merge(cls, *envs: PluginEnvironment) -> PluginEnvironment:
        """Return the values of all, of equal keys the last one's."""
        merged: dict[str, Any] = {}
        for env in envs:
            merged.update(env.to_dict())
        return cls(merged)

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value as it is, or ``default`` if there is none."""
        return self._data.get(key, default)

    @overload
    def get_str(self, key: str) -> str | None: ...
    @overload
    def get_str(self, key: str, default: T) -> str | T: ...
    def get_str(self, key: str, default: Any = None) -> Any:
        """Return the value as text, or ``default`` if there is none."""
        value = self._data.get(key)
        return default if value is None else str(value)

    @overload
    def get_int(self, key: str) -> int | None: ...
    @overload
    def get_int(self, key: str, default: T) -> int | T: ...
    def get_int(self, key: str, default: Any = None) -> Any:
        """Return the value as a whole number, or ``default`` if there is none.

        Raises:
            ValueError: it is no whole number.
        """
        return self._read(key, default, _whole, "a whole number")

    @overload
    def get_float(self, key: str) -> float | None: ...
    @overload
    def get_float(self, key: str, default: T) -> float | T: ...
    def get_float(self, key: str, default: Any = None) -> Any:
        """Return the value as a number, or ``default`` if there is none.

        Raises:
            ValueError: it is no number.
        """
        return self._read(key, default, float, "a number")

    @overload
    def get_bool(self, key: str) -> bool | None: ...
    @overload
    def get_bool(self, key: str, default: T) -> bool | T: ...
    def get_bool(self, key: str, default: Any = None) -> Any:
        """Return the value as true or false, or ``default`` if there is none.

        Raises:
            ValueError: it is text that says neither.
        """
        return self._read(key, default, _truth, "one of true, false, yes, no, on, off, 1, 0")

    @overload
    def get_list(self, key: str) -> list[Any] | None: ...
    @overload
    def get_list(self, key: str, default: T) -> list[Any] | T: ...
    def get_list(self, key: str, default: Any = None) -> Any:
        """Return a list, or the parts of a text between its commas; else ``default``."""
        value = self._data.get(key)
        if isinstance(value, str):
            return [part for part in (piece.strip() for piece in value.split(",")) if part]
        return list(value) if isinstance(value, list | tuple) else default

    def to_dict(self) -> dict[str, Any]:
        """Return a copy of the values by key."""
        return dict(self._data)

    def _read(self, key: str, default: Any, convert: Callable[[Any], Any], wanted: str) -> Any:
        value = self._data.get(key)
        if value is None:
            return default
        try:
            return convert(value)
        except (TypeError, ValueError, OverflowError) as error:
            msg = f"{key} must be {wanted}, not {value!r}"
            raise ValueError(msg) from error

    def __contains__(self, key: object) -> bool:
        """Return whether there is a value of this key."""
        return key in self._data

    def __getitem__(self, key: str) -> Any:
        """Return the value as it is; a `KeyError` if there is none."""
        return self._data[key]

    def __iter__(self) -> Iterator[str]:
        """Go through the keys."""
        return iter(self._data)

    def __eq__(self, other: object) -> bool:
        """Equal if the values are."""
        return self._data == other._data if isinstance(other, PluginEnvironment) else NotImplemented

    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Say how many values there are, never which: they hold credentials."""
        return f"{type(self).__name__}({len(self._data)} values)"


def _whole(value: Any) -> int:
    number = int(value)
    if isinstance(value, float) and number != value:
        raise ValueError(value)
    return number


def _truth(value: Any) -> bool:
    if not isinstance(value, str):
        return bool(value)
    word = value.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(value)
