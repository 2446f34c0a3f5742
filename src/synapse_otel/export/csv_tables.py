"""A run as tables: every sample, every log record, every span."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from synapse_otel.runs import Role
from synapse_otel.runs.entries import iso_time
from synapse_otel.runs.live.followed_run import FollowedRun

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class Column(Enum):
    """What a column holds; any value may be None."""

    TIME = "time"
    """Unix time in ns."""
    NUMBER = "number"
    INTEGER = "integer"
    FLAG = "flag"
    TEXT = "text"


class Table(NamedTuple):
    """A table: what it is called, its columns, and what its rows are made of."""

    name: str
    columns: dict[str, Column]
    rows: Callable[[FollowedRun], Iterator[tuple[Any, ...]]]


def write_tables(found: FollowedRun, folder: Path) -> list[Path]:
    """Write ``metrics.csv``, ``messages.csv`` and ``spans.csv`` into a folder, which is made; return their paths.

    Raises:
        OSError: one of them cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return [_write(folder / f"{table.name}.csv", table, found) for table in TABLES]


def _write(path: Path, table: Table, found: FollowedRun) -> Path:
    kinds = list(table.columns.values())
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_spread(table.columns, kinds, lambda name: (name, "unix_nanoseconds")))
        writer.writerows(map(_safe, _spread(row, kinds, lambda time: (_iso(time), time))) for row in table.rows(found))
    return path


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


# --- what the tables hold -------------------------------------------------------------------------------


def _metrics(found: FollowedRun) -> Iterator[tuple[Any, ...]]:
    for series in found.series:
        for time, value in zip(series.times, series.values, strict=True):
            yield time, series.metric, series.category, series.unit, series.instrument, value


def _messages(found: FollowedRun) -> Iterator[tuple[Any, ...]]:
    for at in range(len(found.logs)):
        told = found.logs.told(at)
        data = msgspec.json.encode(told["data"]).decode() if told["data"] else ""
        words = (told[name] for name in ("severity", "kind", "context", "category", "event", "text"))
        yield found.logs.times[at], *words, data, told["file"], told["span"]


def _spans(found: FollowedRun) -> Iterator[tuple[Any, ...]]:
    for span in sorted(found.spans.values(), key=lambda span: span.start):
        if span.role is not Role.MARKER:
            ids = (span.trace_id, span.span_id, span.parent_id)
            words = (span.failed, span.skipped, span.result or "", span.error)
            yield span.name, str(span.role), span.start, span.end, span.seconds, *words, *ids


def _texts(*names: str) -> dict[str, Column]:
    return dict.fromkeys(names, Column.TEXT)


TABLES: Final = (
    Table(
        "metrics",
        {"time": Column.TIME, **_texts("name", "category", "unit", "instrument"), "value": Column.NUMBER},
        _metrics,
    ),
    Table(
        "messages",
        {
            "time": Column.TIME,
            "severity": Column.INTEGER,
            **_texts("kind", "context", "category", "event", "text", "data", "file", "span"),
        },
        _messages,
    ),
    Table(
        "spans",
        {
            **_texts("name", "role"),
            "start": Column.TIME,
            "end": Column.TIME,
            "seconds": Column.NUMBER,
            "failed": Column.FLAG,
            "skipped": Column.FLAG,
            **_texts("result", "error", "trace", "span", "parent"),
        },
        _spans,
    ),
)
