"""A run as tables in Parquet, with types: times are timestamps in ns and UTC."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

from synapse_otel.export.csv_tables import TABLES, Column, Table
from synapse_otel.runs.live.followed_run import FollowedRun

ROWS: Final = 50_000
"""Rows that are made at a time."""


class ParquetMissingError(LookupError):
    """What writes Parquet is not installed; the message says how to install it."""


def write_parquet(found: FollowedRun, folder: Path) -> list[Path]:
    """Write ``metrics``, ``messages`` and ``spans`` as ``.parquet`` into a folder, which is made; return their paths.

    Raises:
        OSError: one of them cannot be written.
        ParquetMissingError: the extra ``parquet`` is not installed.
    """
    check_parquet()
    folder.mkdir(parents=True, exist_ok=True)
    return [_write(folder / f"{table.name}.parquet", table, found) for table in TABLES]


def check_parquet() -> None:
    """Check that Parquet can be written.

    Raises:
        ParquetMissingError: the extra ``parquet`` is not installed.
    """
    try:
        import pyarrow.parquet  # type: ignore[import-untyped]  # noqa: F401 - whether it is there
    except ImportError as error:
        raise ParquetMissingError(
            f"Parquet is written by pyarrow ({error}): pip install 'synapse-otel[parquet]'; csv needs nothing"
        ) from None


def _write(path: Path, table: Table, found: FollowedRun) -> Path:
    import pyarrow as pa
    from pyarrow import parquet

    schema = _schema(table)
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for columns in _batches(table, found):
            writer.write_batch(pa.record_batch(columns, schema=schema))
    return path


def _batches(table: Table, found: FollowedRun) -> Iterator[list[Any]]:
    """Yield the columns of so many rows."""
    rest = table.rows(found)
    while rows := list(islice(rest, ROWS)):
        yield [list(column) for column in zip(*rows, strict=True)]


def _schema(table: Table) -> Any:
    import pyarrow as pa

    types = {
        Column.TIME: pa.timestamp("ns", "UTC"),
        Column.NUMBER: pa.float64(),
        Column.INTEGER: pa.int32(),
        Column.FLAG: pa.bool_(),
        Column.TEXT: pa.string(),
    }
    return pa.schema([(name, types[kind]) for name, kind in table.columns.items()])
