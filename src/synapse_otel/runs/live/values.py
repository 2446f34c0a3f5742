"""`RunValues`: the values of a run's metrics and its resource usage in the list, read without its other records.

Of a delivered run its summary has the metrics, and no segment is read. Of another one the shipper's cursor has those of
the samples that it has taken, and only the rest of the journal is read. A rest that is too large is left out: the list
then shows what the cursor has.
"""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from typing import Final

import msgspec

from synapse_otel.journal.cursor import Cursor, read_cursor
from synapse_otel.journal.folder import segment_numbers, segment_path
from synapse_otel.journal.frames import Kind, Samples, Series
from synapse_otel.journal.liveness import is_alive
from synapse_otel.journal.reader import JournalReader, Position
from synapse_otel.journal.summary import MetricSummaries, MetricSummary
from synapse_otel.journal.usage import read_usage
from synapse_otel.journal.usage_totals import usage_totals
from synapse_otel.redaction import redact_text
from synapse_otel.runs import Overview
from synapse_otel.runs.live.entry import Json, finite
from synapse_otel.semconv.signal import Signal

LARGEST: Final = 64 << 20
"""Bytes of a journal that are read at most for the list."""
LIVE_SECONDS: Final = 2.0
"""How often the values of a run that runs are read."""
_SKIPPED: Final = bytes((Kind.LOG, Kind.BRIEF, Kind.SPAN, Kind.SPAN_OPEN, Kind.OTLP_METRICS))
_STATE: Final = "values"
"""Where the cursor of metrics has them."""
_EVER: Final = (1 << 63) - 1


class RunValues:
    """The values of one run; `complete` when there is nothing more to read for now."""

    def __init__(self) -> None:
        self.complete = False
        self._journals: dict[Path, _JournalValues] = {}
        self._columns: Json = {"metrics": {}, "used": {}}
        self._read = 0.0

    def expire(self, *, lives: bool) -> None:
        """Have the values read again, as the run has changed; one that lives not too often."""
        if not lives or monotonic() - self._read > LIVE_SECONDS:
            self.complete = False

    def read(self, folders: list[Path], overview: Overview | None, until: float) -> bool:
        """Read until a time of `monotonic`; return whether everything has been read. Errors leave values out."""
        summaries = overview.metrics if overview is not None else {}
        whole = True
        for folder in folders:
            if folder not in summaries and overview is not None:
                whole = self._journal(folder).read(until) and whole
        merged = MetricSummaries()
        for folder in folders:
            journal = self._journals.get(folder)
            merged.merge(summaries.get(folder) or (journal.metrics.all() if journal else ()))
        self._columns = {**self._columns, "metrics": _written(merged.all())}
        if whole:
            self._columns["used"] = _used(folders)
            self._read = monotonic()
            self.complete = True
            if overview is None or not overview.state.lives:
                self.close()
        return whole

    def columns(self) -> Json:
        """Return what the row shows: by `category/name` the last value, minimum and maximum; and the resource usage."""
        return self._columns

    def close(self) -> None:
        """Close the files that are open."""
        for journal in self._journals.values():
            journal.close()

    def _journal(self, folder: Path) -> _JournalValues:
        if folder not in self._journals:
            self._journals[folder] = _JournalValues(folder)
        return self._journals[folder]


class _JournalValues:
    """Follows the samples of one journal, from where its shipper has taken them."""

    def __init__(self, folder: Path) -> None:
        cursor = read_cursor(folder, Signal.METRICS)
        try:
            self.metrics = MetricSummaries(cursor.state[_STATE])
        except (KeyError, msgspec.ValidationError):
            self.metrics, cursor = MetricSummaries(), Cursor()  # older, or damaged: everything that is left is read
        self._folder = folder
        self._from = cursor.sequence
        self._reader = JournalReader(folder, Position(cursor.segment))
        self._series: dict[float, Series] = {}
        self._readable = not cursor.complete and _size(folder, cursor.segment) <= LARGEST

    def read(self, until: float) -> bool:
        """Read until a time of `monotonic`; return whether everything that is there has been read."""
        if not self._readable:
            return True
        try:
            ended = not is_alive(self._folder)
            while found := self._reader.read(ended=ended, skip=_SKIPPED):
                for frame in found:
                    structure = frame.decode() if frame.kind in {Kind.SERIES, Kind.SAMPLES} else None
                    if isinstance(structure, Series):
                        self._series[structure.id] = structure
                    elif isinstance(structure, Samples) and frame.sequence >= self._from:
                        self._take(structure)
                if monotonic() > until:
                    return False
        except OSError:
            pass  # deleted in this moment, or not to be read: the rest of its row says so
        return True

    def _take(self, samples: Samples) -> None:
        values = iter(samples.values)
        for number, value in zip(values, values, strict=False):
            series = self._series.get(number)
            if series is not None:
                self.metrics.add(series, samples.time, value)

    def close(self) -> None:
        self._reader.close()


def _written(found: list[MetricSummary]) -> Json:
    return {
        redact_text(f"{one.category}/{one.name}" if one.category else one.name): [
            finite(one.last),
            finite(one.min),
            finite(one.max),
        ]
        for one in found
    }


def _size(folder: Path, first: int) -> int:
    try:
        return sum(segment_path(folder, number).stat().st_size for number in segment_numbers(folder) if number >= first)
    except OSError:
        return 0


def _used(folders: list[Path]) -> Json:
    """Return the resource usage of a run's processes together: peaks are those of the largest."""
    totals = [found for folder in folders if (found := usage_totals(read_usage(folder), 0, _EVER)) is not None]
    if not totals:
        return {}
    gpu_memory = [one.gpu_memory_peak for one in totals if one.gpu_memory_peak is not None]
    used = {
        "cpu": sum(one.cpu_seconds for one in totals),
        "memory": max(one.memory_peak for one in totals),
        "gpu_memory": max(gpu_memory, default=None),
    }
    return {name: value for name, value in used.items() if value is not None}
