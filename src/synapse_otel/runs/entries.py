"""The parts of a recording. Times are Unix time in ns, ids hexadecimal text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from synapse_otel import semconv
from synapse_otel.semconv.progress import Progress
from synapse_otel.semconv.readings import SlotKind
from synapse_otel.semconv.severity import Severity

_KNOWN: Final = frozenset(attribute.key for attribute in semconv.ATTRIBUTES)


class Role(StrEnum):
    """The kind of a span."""

    JOB = "job"
    STEP = "step"
    ROLLBACK = "rollback"
    MARKER = "marker"
    OTHER = "other"
    """Of the plugin's own tracing, or of another instrumentation."""


class LogKind(StrEnum):
    """The kind of a log record."""

    MESSAGE = "message"
    EVENT = "event"
    DEVELOPER = "developer"
    EXCEPTION = "exception"
    LIFE = "life"
    """The job's beginning or end."""
    LOGGING = "logging"
    """Of Python's logging, or of another instrumentation."""


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """An event of a span."""

    time: int
    name: str
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Link:
    """A link from a span to another."""

    trace_id: str
    span_id: str
    attributes: dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Span:
    """A span with its children, in the order in which they began."""

    name: str
    role: Role
    trace_id: str
    span_id: str
    parent_id: str
    start: int
    end: int | None
    """None while it is open; stays None if its process was killed."""
    attributes: dict[str, Any]
    failed: bool = False
    """Whether its status is ERROR."""
    status_message: str = ""
    events: list[SpanEvent] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    scope: str = ""
    children: list[Span] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether its end was not recorded."""
        return self.end is None

    @property
    def seconds(self) -> float | None:
        """Duration, None while it is open."""
        return None if self.end is None else (self.end - self.start) / 1e9

    @property
    def result(self) -> str | None:
        """How the job or step ended, in the words of ``semconv.RESULT_*``."""
        found = self.attributes.get(semconv.JOB_RESULT, self.attributes.get(semconv.STEP_RESULT))
        return None if found is None else str(found)

    @property
    def skipped(self) -> bool:
        """Whether it is a step that was skipped."""
        return self.attributes.get(semconv.STEP_SKIPPED) is True

    @property
    def error(self) -> str:
        """The error, with the class of the exception; empty without an error."""
        if not self.failed:
            return ""
        kind = str(self.attributes.get(semconv.ERROR_TYPE, ""))
        text = str(self.attributes.get(semconv.STEP_ERROR, "")) or self.status_message
        if text.startswith(kind):  # a span's status says the class by itself
            return text
        return ": ".join(part for part in (kind, text) if part)

    @property
    def params(self) -> dict[str, Any]:
        """The parameters of a job or step."""
        return self._under(semconv.PARAMS_PREFIX)

    @property
    def products(self) -> dict[str, Any]:
        """The outputs of a job or step: our attributes without a defined meaning."""
        return {
            name: value
            for name, value in self._under(semconv.PRODUCT_PREFIX).items()
            if (key := semconv.PRODUCT_PREFIX + name) not in _KNOWN and not key.startswith(semconv.PARAMS_PREFIX)
        }

    def _under(self, prefix: str) -> dict[str, Any]:
        return {key.removeprefix(prefix): value for key, value in self.attributes.items() if key.startswith(prefix)}

    @property
    def rank(self) -> int:
        """Which spans come first where not all are shown: the job's own steps, then what failed or is open."""
        if self.role is not Role.OTHER:
            return 0
        return 1 if self.failed or self.is_open else 2

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Span]]:
        """Yield depth and span of itself and all below it, each before its children."""
        todo = [(depth, self)]
        while todo:
            at, span = todo.pop()
            yield at, span
            todo += [(at + 1, child) for child in reversed(span.children)]

    def find(self, name: str) -> Span | None:
        """Return the first span of a name, itself or below it."""
        return next((span for _depth, span in self.walk() if span.name == name), None)


@dataclass(slots=True, kw_only=True)
class LogEntry:
    """A log record: a message, an event, an exception, or a line of Python's logging."""

    time: int
    kind: LogKind
    severity: int
    """As in OpenTelemetry: 5 DEBUG, 9 INFO, 10 success, 13 WARN, 17 ERROR, 21 FATAL."""
    event_name: str
    body: Any
    attributes: dict[str, Any]
    trace_id: str
    span_id: str
    scope: str
    uid: str
    """Its ``log.record.uid``."""

    @property
    def category(self) -> str:
        """Category, empty if it has none."""
        return str(self.attributes.get(semconv.CATEGORY, ""))

    @property
    def context(self) -> str:
        """The context of a message, given by its author; empty for other records."""
        return str(self.attributes.get(semconv.MESSAGE_CONTEXT, ""))

    @property
    def data(self) -> dict[str, Any]:
        """The caller's data, nested names joined with dots."""
        return data_of(self.attributes)

    @property
    def file(self) -> str | None:
        """Path of the file that an event is about."""
        found = self.attributes.get(semconv.FILE_PATH)
        return None if found is None else str(found)


@dataclass(slots=True, kw_only=True)
class Series:
    """The values of one instrument with one set of attributes, each with its time."""

    name: str
    instrument: str
    unit: str
    attributes: dict[str, Any]
    times: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    @property
    def category(self) -> str:
        """Category, empty if it has none."""
        return str(self.attributes.get(semconv.CATEGORY, ""))

    @property
    def metric_name(self) -> str:
        """The plugin's own name of the metric; the instrument's for anything else."""
        return str(self.attributes.get(semconv.METRIC_NAME, self.name))

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True)
class CategoryProgress:
    """The last progress of one category of a job."""

    job: str
    """Span id of the job."""
    category: str
    """Empty for the whole job."""
    progress: Progress
    worker: str = ""
    """Its `synapse.worker.id`, if one worker reported it."""
    workers: tuple[CategoryProgress, ...] = ()
    """The reports of each worker for the same category."""

    @property
    def last_time(self) -> int:
        """Unix time in ns of the last report."""
        return max(self.progress.time, *(one.progress.time for one in self.workers), 0)


@dataclass(frozen=True, slots=True)
class Count:
    """A counter of the context API: messages by context, events by name, metric updates by category."""

    job: str
    kind: SlotKind
    text: str
    value: int


def data_of(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return the caller's data among the attributes of a log record, nested names joined with dots."""
    prefix = semconv.DATA_PREFIX
    return {key.removeprefix(prefix): value for key, value in attributes.items() if key.startswith(prefix)}


def most_telling(severities: Sequence[int], *, first: int, important: int, last: int) -> list[int]:
    """Return the places of the log records to show: the first, the last, and of those between warnings and errors."""
    whole = len(severities)
    if whole <= first + important + last:
        return list(range(whole))
    between = [at for at in range(first, whole - last) if severities[at] >= Severity.WARN]
    return [*range(first), *between[:important], *range(whole - last, whole)]


def iso_time(nanoseconds: int) -> str | None:
    """Return a Unix time as ISO 8601 in UTC; None for one that no calendar has."""
    try:
        return datetime.fromtimestamp(nanoseconds / 1e9, UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return None
