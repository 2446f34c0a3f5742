"""Export requests of every signal: encoded records, by scope, under a resource.

The three signals' messages differ in their names only: ``Export*ServiceRequest`` holds ``Resource*``, which holds
``Scope*``, which holds the records, and each has the same field numbers in all three. See
`opentelemetry/proto/collector/*/v1/*_service.proto`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from synapse_otel.otlp.encode.wire import DELIMITED, Cache, delimited, tag, text, varint

_RESOURCE_RECORDS: Final = tag(1, DELIMITED)
_RESOURCE: Final = tag(1, DELIMITED)
_SCOPE_RECORDS: Final = tag(2, DELIMITED)
_SCOPE: Final = tag(1, DELIMITED)
_RECORD: Final = tag(2, DELIMITED)
_SCHEMA_URL: Final = tag(3, DELIMITED)


class Group(NamedTuple):
    """Records of one scope, in their order."""

    scope: bytes
    """Body of the ``InstrumentationScope``."""
    fields: Sequence[bytes]
    """Fields with one record each, or with several: made by `record_field`."""
    schema_url: str = ""


def request(resource: bytes, groups: Iterable[Group], *, schema_url: str = "", ready: Iterable[bytes] = ()) -> bytes:
    """Return the body of an export request for one resource.

    Requests of several resources are joined by concatenating them, as is the way of protobuf.

    Args:
        resource: Body of the ``Resource``.
        groups: The records, by scope.
        schema_url: Of the resource.
        ready: Fields that are encoded already: the ``scope_metrics`` that a frame ``OTLP_METRICS`` holds.

    """
    fields = [delimited(_RESOURCE, resource), *ready]
    size = sum(map(len, fields)) + sum([_append(fields, group) for group in groups])
    fields.append(text(_SCHEMA_URL, schema_url))
    return b"".join([_RESOURCE_RECORDS, varint(size + len(fields[-1])), *fields])


def _append(fields: list[bytes], group: Group) -> int:
    """Append a scope's records piece by piece, so that a large request is copied once only; return their size."""
    scope, url = delimited(_SCOPE, group.scope), text(_SCHEMA_URL, group.schema_url)
    size = len(scope) + sum(map(len, group.fields)) + len(url)
    begin = _SCOPE_RECORDS + varint(size)
    fields += (begin, scope, *group.fields, url)
    return len(begin) + size


RECORD_HEADS: Final = Cache[int](lambda length: _RECORD + varint(length), 4096)
"""What stands before a record in its field, by its length."""


def record_field(record: bytes) -> bytes:
    """Return the field that holds the body of a ``LogRecord``, ``Span`` or ``Metric``."""
    return RECORD_HEADS[len(record)] + record


def record_bodies(fields: bytes) -> Iterator[bytes]:
    """Yield the records that the fields of `record_field`, joined, hold."""
    at = 0
    while at < len(fields):
        size, shift, byte = 0, 0, 0x80
        while byte & 0x80:
            at += 1
            byte = fields[at]
            size |= (byte & 0x7F) << shift
            shift += 7
        at += 1 + size
        yield fields[at - size : at]
