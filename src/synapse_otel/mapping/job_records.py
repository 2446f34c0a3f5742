"""The common state of all records of a job: its ids and names, counters and series, and instruments."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from synapse_otel import semconv
from synapse_otel._text import cut
from synapse_otel.journal.memory.slots import CounterSlot, ProgressSlot
from synapse_otel.journal.state_block import TEXT_LIMIT
from synapse_otel.mapping.data import EventData
from synapse_otel.mapping.instruments import BLOCK, Emit, Instruments, RecordPlain, instruments
from synapse_otel.mapping.levels import LEVELS
from synapse_otel.mapping.metric_series import SERIES_LIMIT, MetricSeries
from synapse_otel.mapping.metric_values import sort_values
from synapse_otel.mapping.names import Names, shown_name
from synapse_otel.semconv.readings import SlotKind


class _HasKey(Protocol):
    key: bytes


class Counters(dict[str, CounterSlot]):
    """Counter slots by name, bounded: names beyond the limit share one slot."""

    def __init__(self, job: _HasKey, kind: SlotKind, limit: int) -> None:
        super().__init__()
        self._job = job
        self._kind = kind
        self._limit = limit

    def __missing__(self, name: str) -> CounterSlot:
        label = name if len(self) < self._limit else semconv.OTHER
        slot = BLOCK.counter(self._kind, self._job.key, label)
        if label == name:
            self[name] = slot
        return slot


CATEGORY_LIMIT: Final = 128
"""Maximum number of separate categories of progress and metrics; later ones share `semconv.OTHER`."""
EVENT_NAME_LIMIT: Final = 64
"""Maximum number of separately counted event names; later ones are counted as `semconv.OTHER`."""


class JobRecords(ABC):
    """The part of a job that its spans record with."""

    def __init__(self, job_id: str | None, category: str | None, attributes: Mapping[str, Any] | None) -> None:
        self.id = job_id
        self.category: str | None = shown_name(category) if category is not None else None
        self.names: Names = Names(self._say_cut)
        """Names of steps and events, and categories, as they are shown."""
        self.attributes: dict[str, Any] = dict(attributes or {})
        """Attributes of every metric of the job."""
        self.log_attributes: dict[str, str] = {semconv.JOB_ID: job_id} if job_id is not None else {}
        self.key: bytes = bytes(8)
        self.add_data: Callable[[dict[str, Any], Mapping[Any, Any]], None] = EventData().add
        self._series: dict[str, tuple[MetricSeries, CounterSlot]] = {}
        self._categories: set[str] = set()
        self._categories_overflowed = False
        self._room = [SERIES_LIMIT]
        self._use(instruments())
        self.message_counts: Counters = Counters(self, SlotKind.MESSAGES, len(LEVELS))
        self.event_counts: Counters = Counters(self, SlotKind.EVENTS, EVENT_NAME_LIMIT)

    def _use(self, made: Instruments) -> None:
        self._instruments = made
        self.emit: Emit = made.emit
        self.template: Callable[..., Any] | None = made.template
        self.record_samples: Callable[[int, list[Any]], None] = made.samples.record
        self.record_plain: RecordPlain = made.samples.record_plain

    @abstractmethod
    def warn(self, text: str) -> None:
        """Record a warning about the job's records."""

    def share(self, other: JobRecords) -> None:
        """Count and number series together with another object of the same job."""
        self._series, self._room, self._categories = other._series, other._room, other._categories
        self.message_counts, self.event_counts = other.message_counts, other.event_counts

    def root_attributes(self) -> dict[str, Any]:
        """Return the attributes of the records about the job's start and end."""
        attributes = {**self.attributes, **self.log_attributes}
        return {**attributes, semconv.CATEGORY: self.category} if self.category else attributes

    def duration_attributes(self) -> dict[str, Any]:
        """Return the attributes of durations, without the job's id, which would create a series for each."""
        return {key: value for key, value in self.attributes.items() if key != semconv.JOB_ID}

    def _bounded(self, category: str | None) -> str:
        """Return the name under which a category is recorded: its own, or a shared one beyond the limit."""
        if not category or category in self._categories:
            return category or ""
        if len(self._categories) < CATEGORY_LIMIT:
            self._categories.add(category)
            return category
        if not self._categories_overflowed:
            self._categories_overflowed = True
            limit = f"progress and metrics have more than {CATEGORY_LIMIT} categories; {category!r} and later ones are"
            self.warn(f"{limit} merged as {semconv.OTHER!r}")
        return semconv.OTHER

    def _say_cut(self, name: str, shown: str) -> None:
        longer = f"the name {cut(name)!r} is longer than {TEXT_LIMIT} bytes"
        self.warn(f"{longer}: it and later ones are cut, as {shown!r}")

    def progress_slot(self, category: str | None) -> ProgressSlot:
        """Return the state block's slot of a category; None: the whole job."""
        return BLOCK.progress(self.key, self._bounded(category))

    def metric_series(self, category: str | None) -> tuple[MetricSeries, CounterSlot]:
        """Return the series of a category, by metric name, and the counter of their updates."""
        category = self._bounded(category)
        found = self._series.get(category)
        if found is None:
            attributes = {**self.attributes, semconv.CATEGORY: category} if category else dict(self.attributes)
            series = MetricSeries(self._instruments.samples, attributes, self._room)
            found = series, BLOCK.counter(SlotKind.UPDATES, self.key, category)
            self._series[category] = found
        return found

    def nonfinite_counter(self, category: str | None) -> CounterSlot:
        """Return the counter of values that were NaN or infinite."""
        return BLOCK.counter(SlotKind.NONFINITE, self.key, self._bounded(category))

    def record_odd_values(
        self, emit: Callable[..., None], attributes: dict[str, Any], now: int, value: Mapping[Any, Any]
    ) -> None:
        """Record a mapping in which something is no finite number: nested, an array scalar, NaN, infinite, or text.

        Args:
            emit: `WorkSpan.emit` of the span.
            attributes: what the records of the values' category have in common.
            now: Unix time in ns.
            value: what was given.
        """
        series, updates = self.metric_series(attributes.get(semconv.CATEGORY))
        numbers, nonfinite, texts = sort_values(value)
        samples: list[Any] = []
        for name, number in numbers.items():
            samples += (series[name], number)
        if samples:
            self.record_samples(now, samples)
            updates.add(len(numbers))
        if texts:
            shown = attributes.copy()
            self.add_data(shown, texts)
            emit(semconv.EVENT_METRIC_TEXT, None, LEVELS["info"], shown)
        if nonfinite:
            self.add_data(attributes, nonfinite)
            self.nonfinite_counter(attributes.get(semconv.CATEGORY)).add(len(nonfinite))
            names = ", ".join(f"{name} is {number}" for name, number in nonfinite.items())
            emit(semconv.EVENT_METRIC_NONFINITE, f"not finite: {names}", LEVELS["warning"], attributes)
