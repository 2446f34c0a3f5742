"""Tables in Parquet, with types: times are timestamps in ns and UTC."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any, Final

from synapse_otel.runs.live.followed_run import FollowedRun
from synapse_otel.runs.live.tables import TABLES, Column, Table

ROWS: Final = 50_000
"""Rows that are made at a time."""


class ParquetMissingError(LookupError):
    """What writes Parquet is not installed; the message says how to install it."""


def write_parquet(
    runs: Iterable[tuple[FollowedRun, tuple[Any, ...]]], folder: Path, before: Mapping[str, Column] | None = None
) -> list[Path]:
    """Write ``metrics``, ``messages`` and ``spans`` as ``.parquet`` into a folder, which is made; return their paths.

    Args:
        runs: each with what it has in the columns ``before``.
        folder: where to.
        before: columns that each table begins with.

    Raises:
        OSError: one of them cannot be written.
        ParquetMissingError: the extra ``parquet`` is not installed.
    """
    check_parquet()
    import pyarrow as pa
    from pyarrow import parquet

    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{table.name}.parquet" for table in TABLES]
    schemas = [_schema({**(before or {}), **table.columns}) for table in TABLES]
    with ExitStack() as stack:
        writers = [
            stack.enter_context(parquet.ParquetWriter(path, schema, compression="zstd"))
            for path, schema in zip(paths, schemas, strict=True)
        ]
        for found, values in runs:
            for writer, schema, table in zip(writers, schemas, TABLES, strict=True):
                for columns in _batches(table, found, values):
                    writer.write_batch(pa.record_batch(columns, schema=schema))
    return paths


def parquet_table(columns: Mapping[str, tuple[Column, Sequence[Any]]]) -> bytes:
    """Return one table as the content of a Parquet file.

    Args:
        columns: by name, what a column holds and its values, one for each row.

    Raises:
        ParquetMissingError: the extra ``parquet`` is not installed.
        TypeError, ValueError, OverflowError: a value does not fit its column, or there are not as many of each.
    """
    check_parquet()
    import pyarrow as pa
    from pyarrow import parquet

    schema = _schema({name: kind for name, (kind, _values) in columns.items()})
    arrays = [pa.array(values, field.type) for field, (_kind, values) in zip(schema, columns.values(), strict=True)]
    out = pa.BufferOutputStream()
    parquet.write_table(pa.Table.from_arrays(arrays, schema=schema), out, compression="zstd")
    return out.getvalue().to_pybytes()  # type: ignore[no-any-return]


def check_parquet() -> None:
    """Check that Parquet can be written.

    Raises:
        ParquetMissingError: the extra ``parquet`` is not installed.
    """
    try:
        import pyarrow.parquet  # noqa: F401 - whether it is there
    except ImportError as error:
        raise ParquetMissingError(
            f"Parquet is written by pyarrow ({error}): pip install 'synapse-otel[parquet]'; csv needs nothing"
        ) from None


def _batches(table: Table, found: FollowedRun, values: tuple[Any, ...]) -> Iterator[list[Any]]:
    """Yield the columns of so many rows, each of which begins with the same values."""
    rest = table.rows(found)
    while rows := list(islice(rest, ROWS)):
        yield [*([value] * len(rows) for value in values), *map(list, zip(*rows, strict=True))]


def _schema(columns: Mapping[str, Column]) -> Any:
    import pyarrow as pa

    types = {
        Column.TIME: pa.timestamp("ns", "UTC"),
        Column.NUMBER: pa.float64(),
        Column.INTEGER: pa.int32(),
        Column.LONG: pa.int64(),
        Column.FLAG: pa.bool_(),
        Column.TEXT: pa.string(),
    }
    return pa.schema([(name, types[kind]) for name, kind in columns.items()])
