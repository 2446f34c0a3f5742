"""Attribute values, attributes, resources and scopes as OTLP messages.

Written by hand instead of through protobuf's objects, because logs and samples pass here one by one: a typical
record costs a tenth of what the objects cost. See `opentelemetry/proto/common/v1/common.proto`.
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct as Packing
from typing import Any, Final

from synapse_otel.journal.frames import Scope
from synapse_otel.otlp.encode.wire import (
    DELIMITED,
    FIXED64,
    VARINT,
    Cache,
    delimited,
    number,
    signed,
    tag,
    text,
    utf8,
    varint,
)

DEEPEST: Final = 16
"""Lists and mappings nested deeper become text: a receiver's parser has its limits (protobuf's own is 100 messages)."""

STRING: Final = tag(1, DELIMITED)
"""Tag of text in an ``AnyValue``."""
_FALSE: Final = tag(2, VARINT) + b"\x00"
_TRUE: Final = tag(2, VARINT) + b"\x01"
INT: Final = tag(3, VARINT)
DOUBLE: Final = tag(4, FIXED64)
_ARRAY: Final = tag(5, DELIMITED)
_MAPPING: Final = tag(6, DELIMITED)
_BYTES: Final = tag(7, DELIMITED)
_REPEATED: Final = tag(1, DELIMITED)
_KEY: Final = tag(1, DELIMITED)
_VALUE: Final = tag(2, DELIMITED)
pack_double: Final = Packing("<d").pack

_RESOURCE_ATTRIBUTES: Final = tag(1, DELIMITED)
_SCOPE_NAME: Final = tag(1, DELIMITED)
_SCOPE_VERSION: Final = tag(2, DELIMITED)
_SCOPE_ATTRIBUTES: Final = tag(3, DELIMITED)


def any_value(value: Any, depth: int = DEEPEST) -> bytes:  # noqa: PLR0911 - one return a type
    """Return the body of an ``AnyValue``.

    ``None`` is the empty value. Integers beyond 64 bits, types that OTLP does not know, and what is nested deeper
    than ``depth`` become text.
    """
    if isinstance(value, str):
        return delimited(STRING, utf8(value))
    if value is None:
        return b""
    if isinstance(value, bool):
        return _TRUE if value else _FALSE
    if isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
        return INT + signed(value)
    if isinstance(value, float):
        return DOUBLE + pack_double(value)
    if isinstance(value, bytes):
        return delimited(_BYTES, value)
    if depth and isinstance(value, list | tuple):
        items = [delimited(_REPEATED, any_value(item, depth - 1)) for item in value]
        return delimited(_ARRAY, b"".join(items))
    if depth and isinstance(value, Mapping):
        return delimited(_MAPPING, attributes(_REPEATED, value, depth - 1))
    return delimited(STRING, utf8(str(value)))


def attributes(tag: bytes, values: Mapping[str, Any], depth: int = DEEPEST) -> bytes:
    """Return a repeated field of ``KeyValue`` messages.

    Args:
        tag: Tag of the field, as it differs from message to message.
        values: Attributes by key; keys that are no text are written as such.
        depth: How deep lists and mappings in the values may be nested.

    """
    fields = [b""]
    for key, value in values.items():
        kind = type(value)
        if kind is str:
            raw = utf8(value)
            fields.append(_HEADS[key, STRING, len(raw)] + raw)
        elif kind is float:
            fields.append(_HEADS[key, DOUBLE, 8] + pack_double(value))
        elif kind is int and 0 <= value < 1 << 63:
            raw = varint(value)
            fields.append(_HEADS[key, INT, len(raw)] + raw)
        else:
            raw = any_value(value, depth)
            fields.append(_HEADS[key, b"", len(raw)] + raw)
    return tag.join(fields)


def resource(values: Mapping[str, Any]) -> bytes:
    """Return the body of a ``Resource``."""
    return attributes(_RESOURCE_ATTRIBUTES, values)


def scope(scope: Scope) -> bytes:
    """Return the body of an ``InstrumentationScope``; its schema URL stands beside it, in the scope's records."""
    return (
        text(_SCOPE_NAME, scope.name)
        + text(_SCOPE_VERSION, scope.version)
        + attributes(_SCOPE_ATTRIBUTES, scope.attributes)
    )


def dropped(tag: bytes, count: int) -> bytes:
    """Return the field that counts what was dropped, which is 32 bits wide."""
    return number(tag, min(max(count, 0), 0xFFFFFFFF))


def attribute_head(part: tuple[str, bytes, int]) -> bytes:
    """Return what stands before the bytes of a value in a ``KeyValue`` that has its length before it.

    Only the tag is then missing to make it a field. This much is the same for every value of a key which has
    the same tag in ``AnyValue`` (none when the value is a whole ``AnyValue``) and the same length.
    """
    key, kind, length = part
    if kind == STRING:
        kind += varint(length)
    begin = delimited(_KEY, utf8(str(key))) + _VALUE + varint(len(kind) + length) + kind
    return varint(len(begin) + length) + begin


_HEADS: Final = Cache[tuple[str, bytes, int]](attribute_head, 2048)
