"""`FollowedRun`: all records of one run, stored compactly, and read further while it grows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import RLock
from time import monotonic
from typing import Any, Final

from synapse_otel import semconv
from synapse_otel._text import counted
from synapse_otel.journal import frames
from synapse_otel.journal.account import account_of
from synapse_otel.journal.folder import STATE_FILE, folder_size, segment_numbers, segment_path
from synapse_otel.journal.frames import Kind
from synapse_otel.journal.liveness import is_alive
from synapse_otel.journal.reader import Chunk, Frame, JournalReader
from synapse_otel.journal.state_block import BLOCK_SIZE
from synapse_otel.journal.usage import usage_written
from synapse_otel.redaction import redact_values
from synapse_otel.runs import LogKind, Span, emitted_records
from synapse_otel.runs.contents import Contents
from synapse_otel.runs.gone import gone_notes, records_gone
from synapse_otel.runs.live.errors import ErrorCount
from synapse_otel.runs.live.log_records import LogRecords
from synapse_otel.runs.live.metric_texts import MetricTexts
from synapse_otel.runs.live.samples import Samples
from synapse_otel.semconv.signal import Signal

_EXCEPTION: Final = list(LogKind).index(LogKind.EXCEPTION)
_EXCEPTIONS: Final = 50
"""Exceptions that are shown with their stack, at most."""
_SAMPLES: Final = int(Kind.SAMPLES)
_METRICS: Final = int(Signal.METRICS)
_decode_samples: Final = frames.DECODERS[Kind.SAMPLES].decode


class _Journal(Contents):
    """One journal: spans and definitions as in `Contents`; records and samples go to those of the run."""

    def __init__(self, folder: Path, logs: LogRecords, series: dict[tuple[str, str], Samples]) -> None:
        super().__init__()
        self.reader = JournalReader(folder)
        self.folder = folder
        self._logs = logs
        self._all = series
        self._numbered: dict[float, tuple[Callable[[int], None], Callable[[float], None]]] = {}
        self.exceptions: list[int] = []
        self.nonfinite: list[int] = []

    def take(self, frame: Frame) -> None:
        """Add a frame."""
        kind = frame.kind
        if kind == Kind.BRIEF or kind == Kind.LOG:  # noqa: PLR1714 - the first of these is nearly all that comes
            self.missing[Signal.LOGS] += frame.sequence - self.emitted[Signal.LOGS]
            self.emitted[Signal.LOGS] = frame.sequence + frame.count
            self._take_log(frame)
        else:
            super().take(frame)
            if kind == Kind.TEMPLATE and isinstance(template := frame.decode(), frames.Template):
                self._logs.define(template)

    def take_chunk(self, found: Chunk) -> None:
        """Add the frames of a chunk in their order."""
        # One loop, and what it needs at hand: a long run has a million samples, and somebody waits.
        emitted, missing, numbered = self.emitted, self.missing, self._numbered
        last = self.last_time
        for bare in found.bare:
            kind, count, sequence, payload, _end = bare
            if kind != _SAMPLES:
                self.take(found.frame(*bare))
                continue
            missing[_METRICS] += sequence - emitted[_METRICS]
            emitted[_METRICS] = sequence + count
            try:
                samples = _decode_samples(payload)
            except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
                self.unreadable += 1
                continue
            time = samples.time
            last = max(last, time)
            values = iter(samples.values)
            try:
                for number, value in zip(values, values, strict=False):
                    appends = numbered.get(number)  # 3.0 is the key 3
                    if appends is None:
                        self.unreadable += 1
                    else:
                        appends[0](time)
                        appends[1](value)
            except OverflowError:  # a time that is no 64-bit integer
                self.unreadable += 1
        self.last_time = max(self.last_time, last)

    def _take_log(self, frame: Frame) -> None:
        logs = self._logs
        time = logs.take(frame, self._scopes)
        if time is None:
            self.unreadable += 1
            return
        self.last_time = max(self.last_time, time)
        if logs.kinds[-1] == _EXCEPTION:
            self.exceptions.append(len(logs) - 1)
        elif logs.is_nonfinite(-1):
            self.nonfinite.append(len(logs) - 1)

    def _define_series(self, defined: frames.Series) -> None:
        key = (defined.name, repr(sorted(defined.attributes.items())))
        series = self._all.get(key)
        if series is None:
            attributes: dict[str, Any] = redact_values(defined.attributes)
            series = self._all[key] = Samples(
                name=defined.name,
                metric=str(attributes.get(semconv.METRIC_NAME, defined.name)),
                category=str(attributes.get(semconv.CATEGORY, "")),
                unit=defined.unit,
                instrument=defined.instrument,
            )
        self._numbered[defined.id] = series.times.append, series.values.append


class FollowedRun:
    """The content of one run's journals, that of the process that began it first. Any thread may call its methods."""

    def __init__(self, folders: list[Path]) -> None:
        self.lock = RLock()
        self.folders = folders
        self.logs = LogRecords()
        self._errors = ErrorCount(self.logs)
        self.metric_texts = MetricTexts(self.logs)
        self.version = 0
        """Grows whenever something was read."""
        self.used = monotonic()
        """Time of the last request."""
        self._series: dict[tuple[str, str], Samples] = {}
        self._journals = [_Journal(folder, self.logs, self._series) for folder in folders]
        self._states: dict[Path, bytes] = {}
        self._first = True
        self._looked = 0.0

    def refresh(self, seconds: float = 1e9, *, least: float = 0.0) -> bool:
        """Read further for a limited time, and return whether everything has been read.

        Args:
            seconds: maximum time.
            least: do nothing if it was done within so many seconds.

        Raises:
            OSError: a journal cannot be read.
        """
        with self.lock:
            if least and not self._first and monotonic() - self._looked < least:
                return True
            until = monotonic() + seconds
            for journal in self._journals:
                if not self._read(journal, until):
                    return False
            if self._first and len(self._journals) > 1:
                self._sort()
            self._first = False
            self._look_at_states()
            self._looked = monotonic()
            return True

    def _read(self, journal: _Journal, until: float) -> bool:
        ended = not is_alive(journal.folder)
        if self._first or len(self._journals) > 1:
            self.logs.templates_of(journal.folder)
        while (found := journal.reader.read_chunk(ended=ended)) is not None:
            journal.take_chunk(found)
            self.version += 1
            if monotonic() > until:
                return False
        if ended and journal.end_workers():
            self.version += 1
        return True

    def _sort(self) -> None:
        """Sort the records of all journals by time."""
        for series in self._series.values():
            series.sort()
        order = self.logs.sort()
        self._errors.clear()
        self.metric_texts = MetricTexts(self.logs)
        for journal in self._journals:
            journal.exceptions = [order[at] for at in journal.exceptions]
            journal.nonfinite = [order[at] for at in journal.nonfinite]

    def _look_at_states(self) -> None:
        for journal in self._journals:
            try:
                with (journal.folder / STATE_FILE).open("rb") as file:
                    data = file.read(BLOCK_SIZE)
            except OSError:
                continue  # none was made, or the run was deleted in this moment
            data += str(usage_written(journal.folder)).encode()
            if self._states.get(journal.folder) != data:
                self._states[journal.folder] = data
                self.version += 1

    def close(self) -> None:
        """Close the files that are open."""
        for journal in self._journals:
            journal.reader.close()

    # --- asking ---------------------------------------------------------------------------------------

    @property
    def ratio(self) -> float:
        """Share of the journals' bytes that has been read, about."""
        whole = sum(folder_size(folder) for folder in self.folders)
        read = 0
        for journal in self._journals:
            number, offset = journal.reader.position
            before = [one for one in segment_numbers(journal.folder) if one < number]
            read += offset + sum(segment_path(journal.folder, one).stat().st_size for one in before)
        return min(read / whole, 1.0) if whole else 1.0

    @property
    def series(self) -> list[Samples]:
        """Everything that was measured, in the order in which it was defined: the place is its number."""
        return list(self._series.values())

    @property
    def spans(self) -> dict[str, Span]:
        """All spans by id; one that a journal left open may have ended in the next one."""
        found: dict[str, Span] = {}
        for journal in self._journals:
            found |= {key: span for key, span in journal.spans.items() if key not in found or not span.is_open}
        return found

    @property
    def errors(self) -> int:
        """Number of errors, of which one exception is one."""
        return self._errors.count()

    @property
    def exceptions(self) -> list[int]:
        """Places of the exceptions among the log records, some of them."""
        return sorted(at for journal in self._journals for at in journal.exceptions)[:_EXCEPTIONS]

    @property
    def nonfinite(self) -> list[int]:
        """Positions of the log records about values that are not numbers."""
        return sorted(at for journal in self._journals for at in journal.nonfinite)

    @property
    def resource(self) -> dict[str, Any]:
        """Attributes of the process."""
        return self._journals[0].resource

    @property
    def last_time(self) -> int:
        """Unix time in ns of the last record."""
        return max(journal.last_time for journal in self._journals)

    @property
    def damage(self) -> tuple[int, int]:
        """Bytes and places that are damaged and left out."""
        found = [journal.reader.damage for journal in self._journals]
        return sum(one.bytes for one in found), sum(one.places for one in found)

    @property
    def missing(self) -> int:
        """Records whose frames are gone: removed after delivery, evicted, or damaged (`gone_notes`)."""
        return sum(records_gone(journal.folder, journal.emitted, journal.missing) for journal in self._journals)

    @property
    def gone(self) -> list[str]:
        """What of the run cannot be read any more, in words; empty if it is complete."""
        account = account_of(self.folders, sum(map(emitted_records, self.folders)))
        size, places = self.damage
        damaged = [f"damaged and skipped: {counted(size, 'byte')} in {counted(places, 'place')}"] if places else []
        return gone_notes(self.missing, account) + damaged

    @property
    def unreadable(self) -> int:
        """Frames of a newer version, or not what their kind promises."""
        return sum(journal.unreadable for journal in self._journals)

    @property
    def foreign_metrics(self) -> int:
        """Collections of other instrumentations' metrics."""
        return sum(journal.foreign_metrics for journal in self._journals)
