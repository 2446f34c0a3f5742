"""The protobuf wire format, as much of it as writing OTLP needs.

A message is a row of fields in any order. A field is a tag (its number and its wire type) and a value: a
varint, four or eight bytes, or a length and that many bytes. Two properties are used throughout: messages may
be concatenated field by field, and a field may repeat. See https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

VARINT: Final = 0
FIXED64: Final = 1
DELIMITED: Final = 2
FIXED32: Final = 5

LARGEST: Final = 0xFFFFFFFFFFFFFFFF
"""Largest integer that a varint or eight unsigned bytes can hold."""

Key = TypeVar("Key")


def varint(value: int) -> bytes:
    """Return an unsigned integer below 2**64 in seven bits a byte, least significant first."""
    if 0 <= value < _SHORT:
        return _VARINTS[value]
    if _SHORT <= value < _TWO:
        return bytes((value & 0x7F | 0x80, value >> 7))
    if _TWO <= value < _THREE:
        return bytes((value & 0x7F | 0x80, value >> 7 & 0x7F | 0x80, value >> 14))
    return _varint(value)


def signed(value: int) -> bytes:
    """Return an ``int64``: a negative one is written as its two's complement, ten bytes long."""
    return varint(value & LARGEST)


def tag(field: int, wire_type: int) -> bytes:
    """Return what stands before a field's value: its number in the message and its wire type."""
    return varint(field << 3 | wire_type)


def delimited(tag: bytes, body: bytes) -> bytes:
    """Return a whole field that holds text, bytes or a message."""
    return tag + varint(len(body)) + body


def text(tag: bytes, value: str | None) -> bytes:
    """Return a whole text field, or nothing for no text, which is protobuf's default."""
    return delimited(tag, utf8(value)) if value else b""


def number(tag: bytes, value: int) -> bytes:
    """Return a whole field of an unsigned or enumerated integer, or nothing for 0, which is protobuf's default."""
    return tag + varint(value) if value else b""


def utf8(value: str) -> bytes:
    """Return text as valid UTF-8: lone surrogates, which protobuf forbids, are written as escapes."""
    try:
        return value.encode()
    except UnicodeEncodeError:
        return value.encode(errors="backslashreplace")


def unsigned64(value: int) -> int:
    """Return the nearest integer that eight unsigned bytes can hold: times before 1970 become 0."""
    return min(max(value, 0), LARGEST)


class Cache(dict[Key, bytes]):
    """Encoded pieces that come again and again; forgets all of them when it is full.

    Keys that are equal must be encoded equally: ``True``, ``1`` and ``1.0`` are one key, so are ``0.0`` and ``-0.0``.
    """

    __slots__ = ("_encode", "_limit")

    def __init__(self, encode: Callable[[Key], bytes], limit: int) -> None:
        """Keep at most ``limit`` results of ``encode``."""
        super().__init__()
        self._encode = encode
        self._limit = limit

    def __missing__(self, key: Key) -> bytes:
        """Encode a new key."""
        encoded = self._encode(key)
        if len(self) >= self._limit:
            self.clear()
        self[key] = encoded
        return encoded


def _varint(value: int) -> bytes:
    if not 0 <= value <= LARGEST:
        raise ValueError(f"a varint holds 0 to 2**64 - 1, not {value}")
    encoded = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


_SHORT: Final = 1024
_TWO: Final = 1 << 14
"""The first integer that does not fit into two bytes..."""
_THREE: Final = 1 << 21
"""... and into three."""
_VARINTS: Final = tuple(_varint(value) for value in range(_SHORT))
