"""`RunTable`: columns of plain values, and of them a data frame of pandas or polars."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from itertools import repeat
from typing import Any, Final

from synapse_otel.runs.live.followed_run import FollowedRun
from synapse_otel.runs.live.tables import TABLES, Column

OF_RECORDS: Final = {table.name: table for table in TABLES}
"""By name: the tables that have a row for each record."""
_ROWS_SHOWN: Final = 50


class LibraryMissingError(ImportError):
    """The library of a data frame is not installed; the message says how to install it."""


class RunTable:
    """A table: its columns by name, all of the same length; None stands for no value.

    Times are Unix times in ns. A data frame has them as timestamps in ns and UTC.
    """

    def __init__(self, kinds: dict[str, Column], columns: dict[str, list[Any]]) -> None:
        self._kinds = kinds
        self.columns = columns
        """The values of each column."""

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))

    def __repr__(self) -> str:
        return f"<RunTable: {len(self):,} rows of {', '.join(self.columns)}>"

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield each row as a dictionary."""
        for values in zip(*self.columns.values(), strict=True):
            yield dict(zip(self.columns, values, strict=True))

    def to_pandas(self) -> Any:
        """Return it as a ``pandas.DataFrame``.

        Raises:
            LibraryMissingError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise _missing("pandas", error) from None
        types = {Column.NUMBER: "float64", Column.INTEGER: "Int32", Column.LONG: "Int64", Column.FLAG: "boolean"}
        frame = {}
        for name, values in self.columns.items():
            kind = self._kinds[name]
            if kind is Column.TIME:
                frame[name] = pd.to_datetime(pd.Series(values, dtype="Int64"), unit="ns", utc=True)
            else:
                frame[name] = pd.Series(values, dtype=types.get(kind, "object"))
        return pd.DataFrame(frame)

    def to_polars(self) -> Any:
        """Return it as a ``polars.DataFrame``.

        Raises:
            LibraryMissingError: polars is not installed.
        """
        try:
            import polars as pl
        except ImportError as error:
            raise _missing("polars", error) from None
        types: dict[Column, Any] = {
            Column.TIME: pl.Datetime("ns", "UTC"),
            Column.NUMBER: pl.Float64,
            Column.INTEGER: pl.Int32,
            Column.LONG: pl.Int64,
            Column.FLAG: pl.Boolean,
            Column.TEXT: pl.String,
        }
        return pl.DataFrame(self.columns, schema={name: types[kind] for name, kind in self._kinds.items()})

    def _repr_html_(self) -> str:
        """Show it in a notebook, a long one without its middle."""
        rows = [[_shown(value) for value in row.values()] for row in self.rows()]
        left_out = len(rows) - _ROWS_SHOWN
        if left_out > 0:
            half = _ROWS_SHOWN // 2
            rows[half:-half] = [[f"... {left_out:,} more", *repeat("", len(self.columns) - 1)]]
        head = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def records_table(
    of: str, runs: Iterable[tuple[FollowedRun, tuple[Any, ...]]], before: dict[str, Column] | None = None
) -> RunTable:
    """Return the ``metrics``, ``messages`` or ``spans`` of runs.

    Args:
        of: which of them.
        runs: each with what it has in the columns ``before``.
        before: columns that the table begins with.

    Raises:
        ValueError: ``of`` is something else.
    """
    check_name(of, OF_RECORDS)
    made = OF_RECORDS[of]
    kinds = {**(before or {}), **made.columns}
    columns: dict[str, list[Any]] = {name: [] for name in kinds}
    for found, values in runs:
        rows = list(zip(*made.rows(found), strict=True)) or [()] * len(made.columns)
        count = len(rows[0])
        for column, cells in zip(columns.values(), [*([value] * count for value in values), *rows], strict=True):
            column.extend(cells)
    return RunTable(kinds, columns)


def check_name(of: str, known: Iterable[str]) -> None:
    """Check the name of a table.

    Raises:
        ValueError: it is not among the known ones.
    """
    if of not in known:
        raise ValueError(f"a table is of {', '.join(known)}, not {of!r}")


def _missing(library: str, error: ImportError) -> LibraryMissingError:
    return LibraryMissingError(
        f"this needs {library} ({error}): pip install {library}; `columns` and `rows` need nothing"
    )


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
