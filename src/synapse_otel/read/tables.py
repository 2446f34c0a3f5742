"""One table over several runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from synapse_otel.read.run_table import OF_RECORDS, RunTable, check_name, records_table
from synapse_otel.read.saved_run import SavedRun
from synapse_otel.runs.live.followed_run import FollowedRun
from synapse_otel.runs.live.tables import Column, run_columns, run_values


def table(runs: Iterable[SavedRun], of: str = "runs") -> RunTable:
    """Return one table over several runs.

    Args:
        runs: the runs.
        of: ``runs``: a row for each run, with its parameters (``params.NAME``) and the last value of each metric
            (``metrics.CATEGORY.NAME``). ``metrics``, ``messages`` or ``spans``: a row for each sample, log record or
            span, which begins with its ``run``, ``run_id`` and parameters; these tables are those of
            ``synapse-otel export``.

    Raises:
        ValueError: ``of`` is something else.
        OSError: a journal cannot be read.
    """
    check_name(of, ("runs", *OF_RECORDS))
    found = list(runs)
    before = run_columns(one.overview for one in found)
    if of == "runs":
        return _table_of_runs(found, before)
    return records_table(of, _each(found, before), before)


def _each(runs: Sequence[SavedRun], before: dict[str, Column]) -> Iterator[tuple[FollowedRun, tuple[Any, ...]]]:
    for one in runs:
        with one.records() as found:
            yield found, run_values(one.overview, before)


_FACTS: Final = {
    **dict.fromkeys(("state", "result", "action", "plugin", "version", "job_id"), Column.TEXT),
    "tags": Column.TEXT,
    "start": Column.TIME,
    "end": Column.TIME,
    "seconds": Column.NUMBER,
    "missing": Column.LONG,
}


def _table_of_runs(runs: Sequence[SavedRun], before: dict[str, Column]) -> RunTable:
    kinds = {name: kind for name, kind in before.items() if not name.startswith("params.")} | _FACTS | before
    names = {f"metrics.{name}": Column.NUMBER for one in runs for name in one.last_values()}
    kinds |= dict(sorted(names.items()))
    columns: dict[str, list[Any]] = {name: [] for name in kinds}
    for one in runs:
        row: dict[str, Any] = {name: getattr(one, name) for name in _FACTS}
        row["tags"] = ", ".join(one.tags)
        row |= dict(zip(before, run_values(one.overview, before), strict=True))
        row |= {f"metrics.{name}": value for name, value in one.last_values().items()}
        for name, column in columns.items():
            column.append(row.get(name))
    return RunTable(kinds, columns)
