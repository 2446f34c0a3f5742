"""A short summary of a journal's jobs: kept when its delivered segments are deleted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

import msgspec

from synapse_otel import semconv
from synapse_otel.journal.folder import read_json, replace_file, segment_numbers
from synapse_otel.journal.frames import SIGNAL_OF, Brief, Job, Kind, Log, Samples, Series, Span
from synapse_otel.journal.reader import Frame, JournalReader, Position
from synapse_otel.semconv.signal import Signal

SUMMARY_FILE: Final = "summary.json"
_TRACE_ID: Final = slice(0, 16)
_LONGEST_TEXT: Final = 200
_KEPT: Final = frozenset({semconv.RUN_TAGS, semconv.RUN_NOTES})
"""Kept whatever their length, as parameters are: what somebody says of a run, and looks for later."""
_MANY: Final = frozenset({Kind.LOG, Kind.BRIEF, Kind.SAMPLES})
MOST_METRICS: Final = 200
"""Metrics of a journal whose values are kept; the first ones."""
_SEGMENTS: Final = 2
"""A job that ended just before the last segment began is found in the previous one."""


class MetricSummary(msgspec.Struct, array_like=True):
    """The values of one of the plugin's metrics in a category, without its samples."""

    name: str
    category: str
    last: float
    time: int
    """Unix time in ns of the last value."""
    min: float
    max: float

    def add(self, time: int, value: float) -> None:
        """Add a finite value."""
        if time >= self.time:
            self.time, self.last = time, value
        if value < self.min:
            self.min = value
        elif value > self.max:
            self.max = value


class MetricSummaries:
    """The last value, minimum and maximum of each of the plugin's metrics; ``kept`` are those of an earlier one.

    Raises:
        msgspec.ValidationError: ``kept`` is damaged.
    """

    def __init__(self, kept: Any = ()) -> None:
        found = msgspec.convert(kept, list[MetricSummary])
        self._metrics = {(one.category, one.name): one for one in found}
        self._by_series: dict[int, MetricSummary | None] = {}
        """Where the values of a series of this journal belong; None: nowhere."""

    def add(self, series: Series, time: int, value: float) -> None:
        """Add a value of a series at a Unix time in ns; only the plugin's own metrics count."""
        if not math.isfinite(value):
            return
        try:
            found = self._by_series[series.id]
        except KeyError:
            found = self._by_series[series.id] = self._of(series, time, value)
        if found is not None:
            found.add(time, value)

    def _of(self, series: Series, time: int, value: float) -> MetricSummary | None:
        if series.name != semconv.JOB_METRIC.name:
            return None
        key = str(series.attributes.get(semconv.CATEGORY, "")), str(series.attributes.get(semconv.METRIC_NAME, ""))
        if key not in self._metrics and len(self._metrics) < MOST_METRICS:
            self._metrics[key] = MetricSummary(key[1], key[0], value, time, value, value)
        return self._metrics.get(key)

    def merge(self, others: Iterable[MetricSummary]) -> None:
        """Add the values of another journal of the same run."""
        for one in others:
            found = self._metrics.get((one.category, one.name))
            if found is None:
                self._metrics[one.category, one.name] = MetricSummary(*msgspec.structs.astuple(one))
            else:
                if one.time >= found.time:
                    found.time, found.last = one.time, one.last
                found.min, found.max = min(found.min, one.min), max(found.max, one.max)

    def all(self) -> list[MetricSummary]:
        """Return the values of every metric."""
        return list(self._metrics.values())

    def kept(self) -> list[Any]:
        """Return them as a cursor keeps them."""
        return [msgspec.to_builtins(one) for one in self._metrics.values()]


class JobSummary(msgspec.Struct):
    """A job, from its journal."""

    start: int
    """Unix time in ns."""
    attributes: dict[str, Any]
    """Of every metric of the job."""
    category: str = ""
    trace_id: str = ""
    """32 hexadecimal digits; empty without a span."""
    own: bool = True
    """The journal's process ran it."""
    end: int = 0
    """Unix time in ns; 0 if the process did not end it."""
    outcome: dict[str, Any] = {}
    """Attributes of its span at its end, or at its begin if it is open; without long ones, but with all parameters."""

    @property
    def name(self) -> str:
        """What its run is called; empty if it was recorded without a name."""
        return str(self.outcome.get(semconv.RUN_NAME, ""))

    @property
    def tags(self) -> list[str]:
        """The tags of its run."""
        found = self.outcome.get(semconv.RUN_TAGS)
        return [str(tag) for tag in found] if isinstance(found, list | tuple) else []


class Summary(msgspec.Struct):
    """Facts about a journal that are kept without its segments."""

    jobs: dict[str, JobSummary] = {}
    """By key (16 hexadecimal digits), the oldest first."""
    sequences: list[int] = []
    """By signal, the number of the next record."""
    last: int = 0
    """Unix time in ns of the last record."""
    ended: bool = False
    """The process closed its journal properly."""
    version: int = 0
    """Version of the format in the newest segment; 0: unknown."""
    revision: str = ""
    """Of the git repository that the job ran in."""
    host: str = ""
    """`host.name` of its resource; empty if it has none."""
    metrics: list[MetricSummary] | None = None
    """Values of the plugin's metrics; None: not known here."""

    def _take(self, frame: Frame) -> None:
        signal = SIGNAL_OF.get(frame.kind)
        if signal is not None:
            self.sequences[signal] = max(self.sequences[signal], frame.sequence + frame.count)
        if frame.kind == Kind.JOB and isinstance(job := frame.decode(), Job):
            self._take_job(job)
        elif frame.kind == Kind.SPAN and isinstance(span := frame.decode(), Span):
            found = self.jobs.get(span.span_id.hex())
            if found is not None:
                found.outcome = _short(span.attributes)
                found.end = found.end or span.end
            self.last = max(self.last, span.end)
        elif frame.kind in {Kind.SEGMENT, Kind.END} and (structure := frame.decode()) is not None:
            pairs = zip_longest(self.sequences, structure.sequences[: len(Signal)], fillvalue=0)
            self.sequences = [max(pair) for pair in pairs]
            self.ended = frame.kind == Kind.END
            if frame.kind == Kind.SEGMENT:
                self.version = structure.version
                self.last = max(self.last, structure.created)
                self.revision = str(structure.resource.get(semconv.VCS_REVISION, ""))
                self.host = str(structure.resource.get(semconv.HOST_NAME, ""))

    def _take_job(self, job: Job) -> None:
        key = job.key.hex()
        known = self.jobs.get(key)
        outcome = known.outcome if known else {}
        trace_id = job.span[_TRACE_ID].hex()
        self.jobs[key] = JobSummary(job.start, job.attributes, job.category, trace_id, job.own, job.end, outcome)


def summarise(folder: Path) -> Summary:
    """Return the summary from the newest segments of a journal; empty if there is none.

    Raises:
        OSError: they cannot be read.
    """
    numbers = segment_numbers(folder)[-_SEGMENTS:]
    summary = _read(folder, numbers[-1]) if numbers else Summary(sequences=[0] * len(Signal))
    return summary if summary.jobs or len(numbers) < _SEGMENTS else _read(folder, numbers[0])


def read_summary(folder: Path) -> Summary | None:
    """Return the stored summary of a journal; None if there is none, or it cannot be read."""
    return read_json(folder / SUMMARY_FILE, Summary)


def summary_of(folder: Path) -> Summary:
    """Return the stored summary of a journal, or else what `summarise` makes."""
    return read_summary(folder) or summarise(folder)


def write_summary(folder: Path, summary: Summary) -> None:
    """Store the summary of a journal.

    Raises:
        OSError: it cannot be written.
    """
    replace_file(folder / SUMMARY_FILE, msgspec.json.encode(summary))


def _read(folder: Path, number: int) -> Summary:
    follower = SummaryFollower(folder, number)
    try:
        return follower.read(ended=True)
    finally:
        follower.close()


class SummaryFollower:
    """Follows a journal that is being written, and keeps its summary up to date.

    It begins with the segment of a number, by default with the newest but one.
    """

    def __init__(self, folder: Path, number: int | None = None) -> None:
        numbers = segment_numbers(folder)[-_SEGMENTS:] if number is None else [number]
        self._reader = JournalReader(folder, Position(numbers[0]) if numbers else Position())
        self._summary = Summary(sequences=[0] * len(Signal))
        self._begun: dict[str, dict[str, Any]] = {}
        """Attributes of the spans that are open, by id."""

    def read(self, *, ended: bool) -> Summary:
        """Read new frames, and return the summary; ``ended``: the writer has ended.

        Raises:
            OSError: the journal cannot be read.
        """
        last: dict[int, Frame] = {}
        while found := self._reader.read(ended=ended):
            for frame in found:
                if frame.kind in _MANY:
                    last[frame.kind] = frame  # of the many, only the last one's time is of interest
                self._summary._take(frame)  # noqa: SLF001 - its own maker
                self._take_begun(frame)
        for frame in last.values():
            if isinstance(record := frame.decode(), Log | Brief | Samples):
                self._summary.last = max(self._summary.last, record.time)
        return self._summary

    def _take_begun(self, frame: Frame) -> None:
        """Give a running or killed job the attributes of its open span, which comes before the job."""
        if frame.kind == Kind.SPAN_OPEN and isinstance(span := frame.decode(), Span):
            self._begun[span.span_id.hex()] = span.attributes
            self._summary.last = max(self._summary.last, span.start)
        elif frame.kind == Kind.SPAN and isinstance(span := frame.decode(), Span):
            self._begun.pop(span.span_id.hex(), None)
        elif frame.kind == Kind.JOB and isinstance(job := frame.decode(), Job):
            found = self._summary.jobs[job.key.hex()]
            found.outcome = found.outcome or _short(self._begun.get(job.key.hex(), {}))

    def close(self) -> None:
        """Close the file that is open."""
        self._reader.close()


def _short(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in attributes.items()
        if isinstance(value, bool | int | float)
        or (isinstance(value, str) and len(value) <= _LONGEST_TEXT)
        or key in _KEPT
        or key.startswith(semconv.PARAMS_PREFIX)
    }
