"""Runs as tables: every sample, every log record, every span; of several runs with their names and parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import Any, Final, NamedTuple

import msgspec

from synapse_otel.redaction import redact_text
from synapse_otel.runs import Overview, Role
from synapse_otel.runs.live.followed_run import FollowedRun

_PARAMS: Final = "params."
"""Begins the column of a parameter."""


class Column(Enum):
    """What a column holds; any value may be None."""

    TIME = "time"
    """Unix time in ns."""
    NUMBER = "number"
    INTEGER = "integer"
    """Of 32 bits."""
    LONG = "long"
    """An integer of 64 bits."""
    FLAG = "flag"
    TEXT = "text"


class Table(NamedTuple):
    """A table: what it is called, its columns, and what its rows are made of."""

    name: str
    columns: dict[str, Column]
    rows: Callable[[FollowedRun], Iterator[tuple[Any, ...]]]


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


# --- several runs ---------------------------------------------------------------------------------------


def run_columns(found: Iterable[Overview]) -> dict[str, Column]:
    """Return the columns that tables of several runs begin with: the run, and each parameter of any of them."""
    values: dict[str, list[Any]] = {}
    for one in found:
        for name, value in params_of(one).items():
            values.setdefault(name, []).append(value)
    params = {_PARAMS + name: kind_of(values[name]) for name in sorted(values)}
    return {**_texts("run", "run_id"), **params}


def run_values(one: Overview, columns: dict[str, Column]) -> tuple[Any, ...]:
    """Return what a run has in the columns of `run_columns`: its name, its id, its parameters or None."""
    params = params_of(one)
    found = ((params.get(name.removeprefix(_PARAMS)), kind) for name, kind in list(columns.items())[2:])
    return redact_text(one.name), one.folders[0].name, *(fitting(value, kind) for value, kind in found)


def params_of(one: Overview) -> dict[str, Any]:
    """Return the parameters of a run's job; empty without a job."""
    return one.job.params if one.job is not None else {}


def kind_of(values: Iterable[Any]) -> Column:
    """Return the narrowest kind of column that takes all values."""
    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {bool}:
        return Column.FLAG
    if kinds == {int}:
        return Column.LONG
    return Column.NUMBER if kinds and kinds <= {int, float} else Column.TEXT


def fitting(value: Any, kind: Column) -> Any:
    """Return a value as its column takes it."""
    if value is None:
        return None
    if kind is Column.NUMBER:
        return float(value)
    if kind is not Column.TEXT or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
