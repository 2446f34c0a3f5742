"""A run as tables (CSV): every sample, every log record, every span."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from synapse_otel.recording import Role
from synapse_otel.view.gathering import Gathered

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def write_tables(found: Gathered, folder: Path) -> list[Path]:
    """Write ``metrics.csv``, ``messages.csv`` and ``spans.csv`` into a folder, which is made; return their paths.

    Raises:
        OSError: one of them cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables = {"metrics": _metrics(found), "messages": _messages(found), "spans": _spans(found)}
    return [_write(folder / f"{name}.csv", rows) for name, rows in tables.items()]


def _write(path: Path, rows: Iterable[Iterable[Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerows([_safe(value) for value in row] for row in rows)
    return path


def _safe(value: Any) -> Any:
    """Return a value that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _metrics(found: Gathered) -> Iterator[Iterable[Any]]:
    yield "time", "unix_nanoseconds", "name", "category", "unit", "instrument", "value"
    for series in found.series:
        for time, value in zip(series.times, series.values, strict=True):
            yield _time(time), time, series.metric, series.category, series.unit, series.instrument, value


def _messages(found: Gathered) -> Iterator[Iterable[Any]]:
    yield "time", "unix_nanoseconds", "severity", "kind", "context", "category", "event", "text", "data", "file", "span"
    for at in range(len(found.logs)):
        told = found.logs.told(at)
        data = msgspec.json.encode(told["data"]).decode() if told["data"] else ""
        names = ("severity", "kind", "context", "category", "event", "text")
        yield (
            _time(found.logs.times[at]),
            found.logs.times[at],
            *(told[name] for name in names),
            data,
            told["file"],
            told["span"],
        )


def _spans(found: Gathered) -> Iterator[Iterable[Any]]:
    yield "name", "role", "start", "end", "seconds", "failed", "skipped", "result", "error", "trace", "span", "parent"
    for span in sorted(found.spans.values(), key=lambda span: span.start):
        if span.role is not Role.MARKER:
            end = _time(span.end) if span.end is not None else ""
            ids = (span.trace_id, span.span_id, span.parent_id)
            words = (span.failed, span.skipped, span.result or "", span.error)
            yield span.name, str(span.role), _time(span.start), end, span.seconds, *words, *ids


def _time(nanoseconds: int) -> str:
    """Return a Unix time as ISO 8601 in UTC; nothing for one that no calendar has."""
    try:
        return datetime.fromtimestamp(nanoseconds / 1e9, UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return ""
