"""A scope: the span of a job or of one of its steps, and how each call of the context API is recorded in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextvars import Token
from pathlib import Path
from time import time_ns
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import context as otel_context
from opentelemetry.trace import INVALID_SPAN, Span, set_span_in_context

from synapse_otel import semconv
from synapse_otel._guard import let_through, raise_foreign
from synapse_otel._otel_private import SeverityNumber
from synapse_otel._text import TEXT_LIMIT, cut
from synapse_otel.mapping.active import CURRENT
from synapse_otel.mapping.arguments import check_mapping, check_name, progress_error, to_float
from synapse_otel.mapping.levels import LEVELS, Level, level_of
from synapse_otel.mapping.metric_series import MetricSeries, record_odd_values
from synapse_otel.mapping.span_events import SpanEvents
from synapse_otel.mapping.values import readable

if TYPE_CHECKING:
    from synapse_otel.journal.state_block import CounterSlot, ProgressSlot
    from synapse_otel.mapping.job import Job


KIND_LIMIT: Final = 64
"""Kinds of records (an event's name and level) that a scope keeps a template for; further ones are written whole."""
_CATEGORIES_KEPT: Final = 1_000
"""Categories whose slots and series a scope keeps at hand; those of further ones are looked up anew in each call."""
_MESSAGE: Final = semconv.EVENT_MESSAGE
_Kind = tuple[Any, dict[str, Any], "CounterSlot", str]
"""What appends records of a kind, the attributes that they have in common, the counter of them, and their name."""


class Scope:
    """What records belong to. A job has one for itself (`Job.root`) and one for each of its steps.

    The methods check their arguments first, and raise ``TypeError`` or ``ValueError`` naming the argument and
    its value before anything is recorded. A `category` of None is the step's name; outside of steps, a record
    without category belongs to the job as a whole.
    """

    __slots__ = (
        "_base",
        "_kinds",
        "_metrics",
        "_progress",
        "category",
        "context",
        "ended",
        "events",
        "job",
        "name",
        "rollback",
        "span",
        "start",
    )

    def __init__(self, job: Job, span: Span | None, name: str | None, start: int) -> None:
        self.job = job
        self.name = name
        self.category = name if name is not None else job.category
        self.span = span if span is not None else INVALID_SPAN
        self.start = start
        self.context = set_span_in_context(span, otel_context.get_current()) if span is not None else None
        self.events = SpanEvents()
        self._base: dict[str, Any] = dict(job.log_attributes)
        if self.category is not None:
            self._base[semconv.CATEGORY] = self.category
        self.ended = False
        self.rollback = False
        self._kinds: dict[tuple[str | None, str], _Kind] = {}
        self._progress: dict[str | None, ProgressSlot] = {}
        self._metrics: dict[str | None, tuple[MetricSeries, CounterSlot]] = {}

    def __deepcopy__(self, _memo: object) -> Scope:
        """Return the scope itself: it is one, as its job is."""
        return self

    # --- the calls of the context API ---------------------------------------------------------------

    def progress(self, current: float, total: float, category: str | None = None) -> None:
        """Record that ``current`` of ``total`` items are done (0 <= current <= total, total > 0)."""
        try:
            slot = self._progress[category]
        except (KeyError, TypeError):
            slot = self._progress_slot(category)
        try:
            valid = 0 <= current <= total and total > 0
        except (TypeError, ValueError, ArithmeticError):
            valid = False
        if not valid:
            raise progress_error(current, total)
        try:
            slot.set(current, total, time_ns())
        except Exception as error:  # noqa: BLE001 - decimals do not add to floats, an integer may be too large for one
            let_through(error)
            slot.set(to_float("current", current), to_float("total", total), time_ns())

    def metrics(self, value: Mapping[str, Any], category: str | None = None) -> None:
        """Record every number of a mapping as a sample of its own series, with the time of this call."""
        try:
            series, updates = self._metrics[category]
        except (KeyError, TypeError):
            series, updates = self._metric_series(category)
        if type(value) is not dict:
            check_mapping("value", value)
        samples: list[Any] = []
        for name, number in value.items():
            if (type(number) is float or type(number) is int) and number - number == 0:
                samples.append(series[name])
                samples.append(number)
            else:
                record_odd_values(self, series, updates, value, category)
                return
        try:
            self.job.record_samples(samples)
        except OverflowError:  # an integer of more than 64 bits
            record_odd_values(self, series, updates, value, category)
            return
        updates.add(len(value))

    def event(
        self,
        event: str,
        data: Mapping[str, Any] | None = None,
        file: str | os.PathLike[str] | None = None,
        category: str | None = None,
        level: Any = "info",
    ) -> None:
        """Record an event of the plugin's own, with data and the file that it is about."""
        if type(event) is not str or not event:
            check_name("event", event)
        try:
            known = LEVELS[level]
        except (KeyError, TypeError):
            known = level_of(level, "level")
        now = time_ns()
        job = self.job
        if category is None and file is None and job.template is not None and (data is None or type(data) is dict):
            try:
                append, attributes, counter, name = self._kinds[event, known.word]
            except KeyError:
                append, attributes, counter, name = self._kind(event, known)
            kept = data.copy() if data else None  # which nobody else can change meanwhile
            if append(now, None, kept):
                self.events.add((now, name, attributes, None, kept), known.important)
                counter.add()
                return
        event = job.names[event]
        attributes = self._base.copy() if category is None else self._attributes(category)
        if data is not None:
            if type(data) is not dict:
                check_mapping("data", data)
            job.add_data(attributes, data)
        if file is not None:
            _add_file(attributes, file)
        job.emit(now, self.context, known.severity, known.text, None, attributes, event)
        self.events.add((now, event, attributes, None, None), known.important)
        job.event_counts[event].add()

    def message(
        self,
        message: str,
        context: Any = "info",
        category: str | None = None,
        code: str | None = None,
    ) -> None:
        """Record a message for the job's user. ``context`` is a word of `LEVELS` or an enum of such words."""
        try:
            level = LEVELS[context]
        except (KeyError, TypeError):
            level = level_of(context, "context")
        if type(message) is not str or len(message) > TEXT_LIMIT:
            message = cut(str(message) if isinstance(message, str) else str(readable(message)))
        now = time_ns()
        job = self.job
        if category is None and code is None and job.template is not None:
            try:
                append, attributes, counter, _ = self._kinds[None, level.word]
            except KeyError:
                append, attributes, counter, _ = self._kind(None, level)
            if append(now, message, None):
                self.events.add((now, _MESSAGE, attributes, message, None), level.important)
                counter.add()
                return
        attributes = self._base.copy() if category is None else self._attributes(category)
        attributes[semconv.MESSAGE_CONTEXT] = level.word
        if code is not None:
            attributes[semconv.MESSAGE_CODE] = code
        job.emit(now, self.context, level.severity, level.text, message, attributes, _MESSAGE)
        self.events.add((now, _MESSAGE, attributes, message, None), level.important)
        job.message_counts[level.word].add()

    def developer_event(self, message: str, data: Mapping[str, Any] | None = None, category: str | None = None) -> None:
        """Record an event for the plugin's developers: DEBUG, and no span event."""
        attributes = self._attributes(category)
        attributes[semconv.AUDIENCE] = semconv.AUDIENCE_DEVELOPER
        if data is not None:
            check_mapping("data", data)
            self.job.add_data(attributes, data)
        text = cut(message) if isinstance(message, str) else str(readable(message))
        self.job.emit(time_ns(), self.context, SeverityNumber.DEBUG, "DEBUG", text, attributes, semconv.EVENT_DEVELOPER)

    def emit(
        self, event_name: str, body: str | None, level: Level, attributes: dict[str, Any], at: int | None = None
    ) -> None:
        """Record a log record, of now or of Unix time ``at`` in ns, and keep it for the span's events."""
        now = time_ns() if at is None else at
        self.job.emit(now, self.context, level.severity, level.text, body, attributes, event_name)
        self.events.add((now, event_name, attributes, body, None), level.important)

    def exception(self, error: BaseException) -> None:
        """Record an exception that leaves this scope; one that an inner scope has recorded is not recorded again."""
        self.job.record_exception(self, error)

    # --- steps --------------------------------------------------------------------------------------

    def begin_step(self, name: str, *, order: int, weight: float, skipped: bool = False) -> Scope:
        """Begin a step below this scope. ``order`` counts from 1; ``weight`` is relative to the others'."""
        return self.job.begin_step(self, name, order=order, weight=weight, skipped=skipped)

    def begin_rollback(self, name: str, *, failed: Scope) -> Scope:
        """Begin the rollback of the step ``name`` below this scope, because of the step ``failed``."""
        return self.job.begin_rollback(self, name, failed=failed)

    def end(
        self,
        result: str = semconv.RESULT_SUCCESS,
        *,
        error: str | None = None,
        exception: BaseException | None = None,
        products: Mapping[str, Any] | None = None,
    ) -> None:
        """End this step with a result; ``products`` become ``synapse.*`` attributes of its span and the job's."""
        self.job.end_scope(self, result, error, exception, products)

    # --- where the scope is current -----------------------------------------------------------------

    def activated(self) -> Activation:
        """Return a context manager in which this scope is its thread's or task's current one."""
        return Activation(self)

    # --- cold parts ---------------------------------------------------------------------------------

    def _kind(self, event: str | None, level: Level) -> _Kind:
        """Return what appends the events of a name, or the messages, of a level; a stand-in beyond the limit."""
        attributes = dict(self._base)
        counts = self.job.message_counts if event is None else self.job.event_counts
        if event is None:
            attributes[semconv.MESSAGE_CONTEXT] = level.word
        name = _MESSAGE if event is None else self.job.names[event]
        counter = counts[level.word if event is None else name]
        make = self.job.template
        if make is None or len(self._kinds) >= KIND_LIMIT:
            return _goes_the_long_way, attributes, counter, name
        template = make(self.context, level.severity, level.text, name, attributes, semconv.DATA_PREFIX)
        kind = template.append, attributes, counter, name
        self._kinds[event, level.word] = kind
        return kind

    @property
    def last_time(self) -> int:
        """Unix time in ns of the last event, message or progress that was recorded here; 0 where there is none."""
        known = (slot.value() for slot in list(self._progress.values()))
        return max(self.events.last_time, *(progress.time for progress in known if progress), 0)

    def forget_kinds(self) -> list[Any]:
        """Return the templates of what was recorded here, and use them no longer."""
        templates = [append.__self__ for append, *_ in self._kinds.values()]
        self._kinds.clear()
        return templates

    def _attributes(self, category: str | None) -> dict[str, Any]:
        attributes = self._base.copy()
        if category is not None:
            if type(category) is not str or not category or category.isspace():
                check_name("category", category)
            attributes[semconv.CATEGORY] = self.job.names[category]
        return attributes

    def _progress_slot(self, category: str | None) -> ProgressSlot:
        if category is not None:
            check_name("category", category)
        slot = self.job.progress_slot(self.job.names[category] if category is not None else self.name)
        if len(self._progress) < _CATEGORIES_KEPT:
            self._progress[category] = slot
        return slot

    def _metric_series(self, category: str | None) -> tuple[MetricSeries, CounterSlot]:
        if category is not None:
            check_name("category", category)
        found = self.job.metric_series(self.job.names[category] if category is not None else self.category)
        if len(self._metrics) < _CATEGORIES_KEPT:
            self._metrics[category] = found
        return found


class Activation:
    """Makes a scope, and its span, current for a while. Nested and left in any order without an error."""

    __slots__ = ("_scope", "_scope_token", "_token")

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._scope_token: Token[Scope | None] | None = None
        self._token: Token[otel_context.Context] | None = None

    def __enter__(self) -> Scope:
        self._scope_token = CURRENT.set(self._scope)
        if self._scope.context is not None:
            current = set_span_in_context(self._scope.span, otel_context.get_current())
            self._token = otel_context.attach(current)
        return self._scope

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            otel_context.detach(self._token)
        if self._scope_token is not None:
            try:
                CURRENT.reset(self._scope_token)
            except ValueError:
                # Left in another context than it was entered in, as a generator may be: that one keeps its own.
                CURRENT.set(None)


def _goes_the_long_way(_time: int, _body: str | None, _data: dict[Any, Any] | None) -> bool:
    """Stand in for a template where there is none."""
    return False


def _add_file(attributes: dict[str, Any], file: str | os.PathLike[str]) -> None:
    try:
        path = os.fspath(file)
    except TypeError as error:
        msg = f"file must be a path, not {file!r}"
        raise TypeError(msg) from error
    attributes[semconv.FILE_PATH] = cut(path if isinstance(path, str) else os.fsdecode(path))
    try:
        attributes[semconv.FILE_SIZE] = Path(os.fsdecode(path)).stat().st_size
    except ValueError as error:  # no path: it holds a zero
        let_through(error)
    except OSError as error:  # a file that is not there (yet) has no size
        raise_foreign(error)
