"""Runs as tables in CSV: times in two columns, for people and for programs."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from synapse_otel.runs.entries import iso_time
from synapse_otel.runs.live.followed_run import FollowedRun
from synapse_otel.runs.live.tables import TABLES, Column

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def write_tables(
    runs: Iterable[tuple[FollowedRun, tuple[Any, ...]]], folder: Path, before: Mapping[str, Column] | None = None
) -> list[Path]:
    """Write ``metrics.csv``, ``messages.csv`` and ``spans.csv`` into a folder, which is made; return their paths.

    Args:
        runs: each with what it has in the columns ``before``.
        folder: where to.
        before: columns that each table begins with.

    Raises:
        OSError: one of them cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{table.name}.csv" for table in TABLES]
    with ExitStack() as stack:
        writers = [csv.writer(stack.enter_context(path.open("w", newline="", encoding="utf-8"))) for path in paths]
        for writer, table in zip(writers, TABLES, strict=True):
            kinds = list(table.columns.values())
            names = _spread(table.columns, kinds, lambda name: (name, "unix_nanoseconds"))
            writer.writerow(map(_safe, [*(before or {}), *names]))
        for found, values in runs:
            for writer, table in zip(writers, TABLES, strict=True):
                kinds = list(table.columns.values())
                rows = (_spread(row, kinds, lambda time: (_iso(time), time)) for row in table.rows(found))
                writer.writerows(map(_safe, (*values, *row)) for row in rows)
    return paths


def _spread(row: Iterable[Any], kinds: list[Column], of_first: Callable[[Any], tuple[Any, ...]]) -> list[Any]:
    """Return a row with its first column, a time, as two: for people and for programs."""
    first, *rest = row
    pairs = zip(rest, kinds[1:], strict=True)
    more = [_iso(value) if kind is Column.TIME and not isinstance(value, str) else value for value, kind in pairs]
    return [*(of_first(first) if kinds[0] is Column.TIME else (first,)), *more]


def _safe(value: Any) -> Any:
    """Return a value that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _iso(nanoseconds: int | None) -> str:
    """Return a Unix time as ISO 8601 in UTC; nothing for none, and for one that no calendar has."""
    return "" if nanoseconds is None else iso_time(nanoseconds) or ""
