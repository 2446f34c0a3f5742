"""`Recording`: all that was recorded of a run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import time_ns
from typing import Any, Self

from synapse_otel import semconv
from synapse_otel.journal.account import Account, account_of
from synapse_otel.journal.folder import Run, read_run, read_slots
from synapse_otel.journal.liveness import is_alive
from synapse_otel.journal.reader import Damage, Frame, JournalReader
from synapse_otel.journal.summary import summary_of
from synapse_otel.runs.contents import Contents
from synapse_otel.runs.entries import CategoryProgress, Count, LogEntry, LogKind, Role, Series, Span
from synapse_otel.runs.gone import records_gone
from synapse_otel.runs.state import RunState, emitted_records, joined_state, run_state, stalled
from synapse_otel.runs.usage import RunUsage, run_usage
from synapse_otel.runs.workers import Told, one_account
from synapse_otel.semconv.progress import Progress
from synapse_otel.semconv.readings import SlotKind


@dataclass(kw_only=True)
class Recording:
    """All that was recorded of a run, read back from its journals."""

    state: RunState
    read_at: int
    """Unix time in ns at which it was read."""
    last_time: int
    """Unix time in ns of the last thing that is known."""
    run: Run | None
    """The content of ``run.json``; None if it cannot be read."""
    folders: list[Path]
    resource: dict[str, Any]
    spans: list[Span]
    """The spans without a parent here; each has its children. Markers are not included."""
    markers: list[Span]
    """The zero-length spans that show a job or step as begun."""
    logs: list[LogEntry]
    """In the order in which they were recorded."""
    series: list[Series]
    """Everything that was measured: the plugin's metrics, and the durations and activity of jobs and steps."""
    progress: list[CategoryProgress]
    """The last progress of each category, in the order in which they began, the job's overall progress first."""
    counts: list[Count]
    account: Account
    damage: Damage
    missing: int
    """Records whose frames are gone: removed after delivery, evicted for the disk budget, or damaged (`gone_notes`)."""
    foreign_metrics: int
    """Collections of other instrumentations' metrics."""

    # --- making ---------------------------------------------------------------------------------------

    @classmethod
    def read(cls, folder: Path, *further: Path, stall_seconds: float = math.inf) -> Self:
        """Read a run's journals, whether it is running, has ended, was killed or is damaged.

        Args:
            folder: the run's first journal.
            *further: the others.
            stall_seconds: how long a job that runs may be silent before it counts as stalled.

        Raises:
            OSError: a journal cannot be read.
        """
        folders = [folder, *further]
        runs = [read_run(each) for each in folders]
        damage = Damage()
        alive = [is_alive(each) for each in folders]
        contents = [
            Contents().take_all(_frames(each, damage, ended=not lives))
            for each, lives in zip(folders, alive, strict=True)
        ]
        for content, lives in zip(contents, alive, strict=True):
            if not lives:
                content.end_workers()
        states = [
            RunState.LIVE if lives else run_state(each, ended=content.ended)
            for each, lives, content in zip(folders, alive, contents, strict=True)
        ]
        told = [
            Told.of(read_slots(each), summary_of(each), run, state)
            for each, run, state in zip(folders, runs, states, strict=True)
        ]
        state = joined_state(states, runs)
        spans: dict[str, Span] = {}
        for each in contents:
            # A span that a journal left open may have ended in the next one.
            spans |= {key: span for key, span in each.spans.items() if key not in spans or not span.is_open}
        progress = one_account(told, state)
        made = cls(
            state=state,
            read_at=time_ns(),
            last_time=max([each.last_time for each in contents] + [one.last_time for one in progress]),
            run=runs[0],
            folders=folders,
            resource=contents[0].resource,
            spans=span_tree([span for span in spans.values() if span.role is not Role.MARKER]),
            markers=[span for span in spans.values() if span.role is Role.MARKER],
            logs=_in_order(contents),
            series=_merged(contents),
            progress=progress,
            counts=_counts(told),
            account=account_of(folders, sum(emitted_records(each) for each in folders)),
            damage=damage,
            missing=sum(
                records_gone(at, each.emitted, each.missing) for at, each in zip(folders, contents, strict=True)
            ),
            foreign_metrics=sum(each.foreign_metrics for each in contents),
        )
        if any(job.is_open for job in made.jobs):
            made.state = stalled(made.state, made.last_time, stall_seconds)
        return made

    # --- asking ---------------------------------------------------------------------------------------

    def walk(self) -> Iterator[tuple[int, Span]]:
        """Yield depth and span of all spans, each before its children."""
        for root in self.spans:
            yield from root.walk()

    @property
    def jobs(self) -> list[Span]:
        """The spans of jobs, in the order in which they began."""
        return [span for _depth, span in self.walk() if span.role is Role.JOB]

    @property
    def job(self) -> Span | None:
        """The first job's span."""
        return next(iter(self.jobs), None)

    @property
    def steps(self) -> list[Span]:
        """The spans of steps, rollbacks not among them."""
        return [span for _depth, span in self.walk() if span.role is Role.STEP]

    @property
    def curves(self) -> dict[tuple[str, str], Series]:
        """The plugin's own metrics, by category and name."""
        found: dict[tuple[str, str], Series] = {}
        for series in self.series:
            if series.name == semconv.JOB_METRIC.name and series.values:
                key = series.category, series.metric_name
                found[key] = _joined(found[key], series) if key in found else series
        return found

    @property
    def exceptions(self) -> list[LogEntry]:
        """The exceptions that left a job or step."""
        return [entry for entry in self.logs if entry.kind is LogKind.EXCEPTION]

    @property
    def usage(self) -> RunUsage:
        """Resource usage, read from the files of its journals; empty in memory, or without samples."""
        return run_usage(self.folders)

    def progress_of(self, category: str | None = None) -> Progress | None:
        """Return the last progress of a category; None: the job's overall progress."""
        return next((one.progress for one in self.progress if one.category == (category or "")), None)

    def end_of(self, span: Span) -> int:
        """Return when a span ended: of an open one now, or when its process was last known to live."""
        if span.end is not None:
            return span.end
        return max(span.start, self.read_at if self.state.lives else self.last_time)


def _frames(folder: Path, damage: Damage, *, ended: bool) -> Iterator[Frame]:
    reader = JournalReader(folder)
    try:
        while found := reader.read(ended=ended):
            yield from found
    finally:
        reader.close()
    damage.bytes += reader.damage.bytes
    damage.places += reader.damage.places


def _gone(folder: Path, contents: Contents) -> int:
    return records_gone(folder, contents.emitted, contents.missing)


def _counts(found: Iterable[Told]) -> list[Count]:
    return [
        Count(slot.job.hex(), slot.kind, slot.text, slot.value)
        for told in found
        for slot in told.slots
        if isinstance(slot.value, int) and slot.kind != SlotKind.HELD
    ]


def span_tree(spans: list[Span]) -> list[Span]:
    """Give spans, which have none yet, their children; return those without a parent here, in order of begin."""
    known = {span.span_id: span for span in spans}
    roots: list[Span] = []
    for span in sorted(spans, key=lambda span: span.start):
        parent = known.get(span.parent_id)
        (roots if parent is None else parent.children).append(span)
    return roots


def _in_order(contents: list[Contents]) -> list[LogEntry]:
    if len(contents) == 1:
        return contents[0].logs
    return sorted((entry for each in contents for entry in each.logs), key=lambda entry: entry.time)


def _merged(contents: list[Contents]) -> list[Series]:
    found: dict[tuple[str, str], Series] = {}
    for each in contents:
        for key, series in each.series.items():
            found[key] = _joined(found[key], series) if key in found else series
    return [series for series in found.values() if series.values]


def _joined(one: Series, other: Series) -> Series:
    """Return the values of two series as one, in order of time."""
    points = sorted(zip(one.times + other.times, one.values + other.values, strict=True), key=lambda point: point[0])
    return Series(
        name=one.name,
        instrument=one.instrument,
        unit=one.unit,
        attributes=one.attributes,
        times=[time for time, _value in points],
        values=[value for _time, value in points],
    )
