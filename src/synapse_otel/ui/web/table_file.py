"""The list as the page shows it, sent by the page to get it back as a file of a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from synapse_otel.runs.live.tables import Column, fitting, kind_of

TableWriter = Callable[[Mapping[str, tuple[Column, Sequence[Any]]]], bytes]
"""Makes a file of a table: of its columns by name, what each holds and its values."""
LARGEST: Final = 64 << 20
"""Bytes of a table that are taken at most."""
_MEDIA_TYPE: Final = "application/vnd.apache.parquet"


class _SentColumn(msgspec.Struct):
    name: str
    kind: Literal["time", "number", "long", "text", "any"]
    """Times are Unix milliseconds; ``any`` stands for the narrowest kind that takes all values."""
    values: list[Any]


def table_file(write: TableWriter) -> Callable[[Request], Any]:
    """Return an endpoint that answers a table, as JSON, with its file.

    It answers 400 to what is no table, 413 to one that is too large, and 501 where ``write`` raises `LookupError`: what
    it needs is not installed.
    """

    async def endpoint(request: Request) -> Response:
        data = b""
        async for part in request.stream():
            data += part
            if len(data) > LARGEST:
                return _refusal("the table is too large", 413)
        return await run_in_threadpool(_written, data)

    def _written(data: bytes) -> Response:
        try:
            return Response(write(columns_of(data)), media_type=_MEDIA_TYPE)
        except LookupError as error:
            return _refusal(str(error), 501)
        except (ValueError, TypeError, OverflowError) as error:
            return _refusal(f"this is no table: {error}", 400)

    return endpoint


def columns_of(data: bytes) -> dict[str, tuple[Column, list[Any]]]:
    """Return the columns of a table in JSON, with values as `Column` says.

    Raises:
        ValueError: it is no table, or a value is none of its column.
    """
    found = {}
    for one in msgspec.json.decode(data, type=list[_SentColumn]):
        kind = kind_of(one.values) if one.kind == "any" else Column(one.kind)
        values = [_nanoseconds(value) for value in one.values] if kind is Column.TIME else one.values
        if kind is Column.LONG and not all(value is None or type(value) is int for value in values):
            raise ValueError(f"{one.name} is not of whole numbers")
        found[one.name] = kind, [fitting(value, kind) for value in values]
    return found


def _nanoseconds(milliseconds: float | None) -> int | None:
    """Return a time in ns; to a microsecond, as JavaScript's numbers hold no more of it."""
    return None if milliseconds is None else round(milliseconds * 1000) * 1000


def _refusal(why: str, status: int) -> Response:
    return JSONResponse({"error": why}, status)
