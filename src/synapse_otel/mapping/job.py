"""A job and its steps: the span of each, and how each call of the context API is recorded in it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from time import time_ns
from types import TracebackType
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Link, Span, Status, StatusCode, get_current_span, set_span_in_context

from synapse_otel import semconv
from synapse_otel._guard import let_through
from synapse_otel._otel_private import SeverityNumber
from synapse_otel._text import TEXT_LIMIT, cut, titled
from synapse_otel.journal.memory.slots import CounterSlot, ProgressSlot
from synapse_otel.journal.state_block import JobEntry
from synapse_otel.mapping.arguments import check_event, check_mapping, check_name, is_progress, progress_error
from synapse_otel.mapping.data import add_file, product_attributes
from synapse_otel.mapping.exceptions import exception_attributes, result_of
from synapse_otel.mapping.instruments import BLOCK, JOB_ATTRIBUTES, end_series
from synapse_otel.mapping.job_records import JobRecords
from synapse_otel.mapping.levels import LEVELS, Level, level_of
from synapse_otel.mapping.metric_series import MetricSeries
from synapse_otel.mapping.span_events import SpanEvents
from synapse_otel.mapping.values import readable

CURRENT: Final[ContextVar[WorkSpan | None]] = ContextVar("synapse_otel.scope", default=None)
"""The scope that this thread or asyncio task is in."""

LIVE: Final[list[Job]] = []
"""The jobs that run in this process, the youngest last."""

KIND_LIMIT: Final = 64
"""Kinds of records (event name and level) with a template per span; later kinds are written without one."""
_CATEGORIES_KEPT: Final = 1_000
"""Categories whose slots and series a span caches; those of later ones are looked up in each call."""
_MESSAGE: Final = semconv.EVENT_MESSAGE
_Kind = tuple[Any, dict[str, Any], "CounterSlot", str, bool]
"""What appends records of a kind, the attributes that they have in common, the counter of them, their name, and whether
they are warnings or worse."""


class WorkSpan:
    """The job span (`Job.root`) or a step span, to which records belong.

    The methods check their arguments first, and raise ``TypeError`` or ``ValueError`` naming the argument and
    its value before anything is recorded. A `category` of None is the step's name; outside of steps, a record
    without category belongs to the whole job.
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
        self.job: Job = job
        self.name: str | None = name
        self.category: str | None = name if name is not None else job.category
        self.span: Span = span if span is not None else INVALID_SPAN
        self.start: int = start
        self.context: Context | None = (
            set_span_in_context(span, otel_context.get_current()) if span is not None else None
        )
        self.events: SpanEvents = SpanEvents()
        self._base: dict[str, Any] = dict(job.log_attributes)
        if self.category is not None:
            self._base[semconv.CATEGORY] = self.category
        self.ended: bool = False
        self.rollback: bool = False
        self._kinds: dict[object, dict[str | None, _Kind]] = {}
        self._progress: dict[str | None, ProgressSlot] = {}
        self._metrics: dict[str | None, tuple[MetricSeries, CounterSlot]] = {}

    def __deepcopy__(self, _memo: object) -> WorkSpan:
        """Return the scope itself: it is one, as its job is."""
        return self

    # --- the calls of the context API ---------------------------------------------------------------

    def progress(self, current: float, total: float, category: str | None = None) -> None:
        """Record that ``current`` of ``total`` items are done (0 <= current <= total, total > 0)."""
        try:
            slot = self._progress[category]
        except (KeyError, TypeError):
            slot = self._progress_slot(category)
        valid = None
        try:
            valid = total > 0 and 0 <= current <= total
            if valid is True:
                slot.set(current, total, time_ns())
                return
        except Exception as error:  # noqa: BLE001 - no numbers, of types that do not compare or add, or too large
            let_through(error)
        # numpy's numbers do not compare to a bool: they round the other number first
        if valid is False or not is_progress(current, total):
            raise progress_error(current, total)
        slot.set(float(current), float(total), time_ns())

    def metrics(self, value: Mapping[str, Any], category: str | None = None) -> None:
        """Record each number of a mapping as a sample of its series, with the time of this call."""
        try:
            series, updates = self._metrics[category]
        except (KeyError, TypeError):
            series, updates = self._metric_series(category)
        now = time_ns()
        if type(value) is not dict:
            check_mapping("value", value)
        elif self.job.record_plain(now, series, value):
            updates.add(len(value))
            return
        samples: list[Any] = []
        for name, number in value.items():
            if (type(number) is float or type(number) is int) and number - number == 0:
                samples.append(series[name])
                samples.append(number)
            else:
                self.job.record_odd_values(self.emit, self._attributes(category), now, value)
                return
        try:
            self.job.record_samples(now, samples)
        except OverflowError as error:  # an integer of more than 64 bits
            let_through(error)
            self.job.record_odd_values(self.emit, self._attributes(category), now, value)
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
        now = time_ns()
        job = self.job
        if category is None and file is None and job.template is not None and (data is None or type(data) is dict):
            try:
                append, attributes, counter, name, important = self._kinds[level][event]
            except (KeyError, TypeError):
                append, attributes, counter, name, important = self._kind(event, level, "level")
            kept = data.copy() if data else None  # which nobody else can change meanwhile
            if append(now, None, kept):
                self.events.add((now, name, attributes, None, kept), important)
                counter.add()
                return
        check_event(event)
        known = level_of(level, "level")
        event = job.names[event]
        attributes = self._base.copy() if category is None else self._attributes(category)
        if data is not None:
            if type(data) is not dict:
                check_mapping("data", data)
            job.add_data(attributes, data)
        if file is not None:
            add_file(attributes, file)
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
        now = time_ns()
        job = self.job
        short = type(message) is str and len(message) <= TEXT_LIMIT
        if short and category is None and code is None and job.template is not None:
            try:
                append, attributes, counter, name, important = self._kinds[context][None]
            except (KeyError, TypeError):
                append, attributes, counter, name, important = self._kind(None, context, "context")
            if append(now, message, None):
                self.events.add((now, name, attributes, message, None), important)
                counter.add()
                return
        level = level_of(context, "context")
        if not short:
            message = cut(str(message) if isinstance(message, str) else str(readable(message)))
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
        """Record an exception that leaves this span; one that an inner span has recorded is not recorded again."""
        self.job.record_exception(self, error)

    # --- steps --------------------------------------------------------------------------------------

    def begin_step(self, name: str, *, order: int, weight: float, skipped: bool = False) -> WorkSpan:
        """Begin a step below this scope. ``order`` counts from 1; ``weight`` is relative to the others'."""
        return self.job.begin_step(self, name, order=order, weight=weight, skipped=skipped)

    def begin_rollback(self, name: str, *, failed: WorkSpan) -> WorkSpan:
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

    def activated(self) -> Activation:
        """Return a context manager in which this scope is its thread's or task's current one."""
        return Activation(self)

    # --- cold parts ---------------------------------------------------------------------------------

    def _kind(self, event: str | None, given: Any, argument: str) -> _Kind:
        """Return the kind of the events of a name, or of messages, of a level as given; a replacement beyond the limit.

        Raises:
            TypeError, ValueError: it is no name, or no level; the latter is called ``argument``.
        """
        if event is not None:
            check_event(event)
        level = level_of(given, argument)
        kinds = self._kinds.get(level.word)
        if kinds is None:
            kinds = self._kinds[given if given == level.word else level.word] = {}
        elif event in kinds:
            if type(given).__hash__ is not None:
                self._kinds[given] = kinds  # found at once from now on, though it is spelt in another way
            return kinds[event]
        attributes = dict(self._base)
        counts = self.job.message_counts if event is None else self.job.event_counts
        if event is None:
            attributes[semconv.MESSAGE_CONTEXT] = level.word
        name = _MESSAGE if event is None else self.job.names[event]
        counter = counts[level.word if event is None else name]
        make = self.job.template
        if make is None or sum(len(self._kinds.get(word, ())) for word in LEVELS) >= KIND_LIMIT:
            return _goes_the_long_way, attributes, counter, name, level.important
        template = make(self.context, level.severity, level.text, name, attributes, semconv.DATA_PREFIX)
        kind = template.append, attributes, counter, name, level.important
        kinds[event] = kind
        return kind

    @property
    def last_time(self) -> int:
        """Unix time in ns of the last event, message or progress recorded here; 0: none."""
        known = (slot.value() for slot in list(self._progress.values()))
        return max(self.events.last_time, *(progress.time for progress in known if progress), 0)

    def forget_kinds(self) -> set[Any]:
        """Return the templates used here, and stop using them."""
        templates = {append.__self__ for kinds in self._kinds.values() for append, *_ in kinds.values()}
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
    """Makes a span current for a while. Can be nested and left in any order without an error."""

    __slots__ = ("_scope", "_scope_token", "_token")

    def __init__(self, scope: WorkSpan) -> None:
        self._scope = scope
        self._scope_token: Token[WorkSpan | None] | None = None
        self._token: Token[otel_context.Context] | None = None

    def __enter__(self) -> WorkSpan:
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
    """Replace a missing template."""
    return False


SetUp = tuple[Callable[..., Callable[[], object]], tuple[Any, ...]]
"""A function that sets up the recording in another process and returns what flushes it there; and its arguments."""


class Job(JobRecords):
    """A job, from `start_job` to `end`; or, made by `detached_job`, records of a context without a job."""

    def __init__(
        self,
        job_id: str | None,
        category: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        live_spans: str = "off",
        *,
        own: bool = True,
    ) -> None:
        super().__init__(job_id, category, attributes)
        self.live_spans: str = live_spans
        self.flush: Callable[[], object] = _nothing
        """Waits, within the exit timeout, until all is delivered; set by the code that sets up delivery."""
        self.at_end: Callable[[], None] | None = None
        """Called when the job has ended; set by the code that runs it, like the next one."""
        self.is_told = True
        """Whether `when_ended` is called for the job's end."""
        self.run_name = ""
        """What its run is called."""
        self.set_up: SetUp | None = None
        """How to set up a process that receives this job; set by the code that set up this process."""
        self.finished: Mapping[str, Any] | None = None
        self.is_detached: bool = own
        """No job has been started: there are only records."""
        self._own = own
        self._process = os.getpid()
        self._open: list[WorkSpan] = []
        self._recorded: deque[BaseException] = deque(maxlen=_EXCEPTIONS_KEPT)
        self.start_time: int = time_ns()
        self.root: WorkSpan = WorkSpan(self, None, None, self.start_time)

    def warn(self, text: str) -> None:
        """Record a warning about the job's records."""
        self.root.emit(semconv.EVENT_MESSAGE, text, LEVELS["warning"], self.root_attributes())

    @property
    def current(self) -> WorkSpan:
        """The open step that began last, else the job itself: for threads without a context."""
        return self._open[-1] if self._open else self.root

    @property
    def ended(self) -> bool:
        """Whether the job has ended."""
        return self.finished is not None

    @property
    def is_own(self) -> bool:
        """Whether this process has started the job: then it ends it."""
        return self._own and self._process == os.getpid()

    def scope_of(self, span_id: int) -> WorkSpan:
        """Return the open step of a span id, else the job itself."""
        return next((scope for scope in self._open if scope.span.get_span_context().span_id == span_id), self.root)

    def __deepcopy__(self, _memo: object) -> Job:
        """Return the job itself: it is one, however often what refers to it is copied."""
        return self

    # --- spans --------------------------------------------------------------------------------------

    def start(self, name: str, attributes: dict[str, Any], parent: Context | None) -> None:
        """Begin the job span, make it current, and record that the job has started."""
        self.is_detached = False
        start = self.start_time = time_ns()
        around = None if get_current_span().get_span_context().is_valid else parent
        span = self._instruments.tracer.start_span(name, around, attributes=attributes, start_time=start)
        self.key: bytes = span.get_span_context().span_id.to_bytes(8, "big")
        JOB_ATTRIBUTES[self.key] = self.attributes
        context = span.get_span_context()
        entry = JobEntry(
            self.key, start, self.attributes, self.category or "", context.trace_id, int(context.trace_flags)
        )
        BLOCK.begin(entry)
        self.root = WorkSpan(self, span, None, start)
        LIVE.append(self)
        if self.live_spans in {"job", "steps"}:
            self.mark(self.root, name, attributes)
        self._instruments.active.add(1, self.attributes)
        self.root.emit(semconv.EVENT_JOB_STARTED, f"{name} started", LEVELS["info"], self.root_attributes())

    def start_span(self, name: str, around: Context, attributes: dict[str, Any], start: int) -> Span:
        """Begin a span that is no step's own; ``start`` is Unix time in ns."""
        return self._instruments.tracer.start_span(name, around, attributes=attributes, start_time=start)

    def mark(self, scope: WorkSpan, name: str, attributes: dict[str, Any]) -> None:
        """Record the span that shows another one as begun, which is sent only when it has ended."""
        marker = self._instruments.tracer.start_span(
            name + semconv.MARKER_SUFFIX,
            scope.context,
            attributes={**attributes, semconv.SPAN_MARKER: True},
            start_time=scope.start,
        )
        marker.end(scope.start + 1)  # Jaeger warns on every span that ends when it begins

    def _open_scope(
        self, parent: WorkSpan, name: str, span_name: str, attributes: dict[str, Any], links: list[Link]
    ) -> WorkSpan:
        start = time_ns()
        span = self._instruments.tracer.start_span(
            span_name, parent.context, attributes=attributes, links=links, start_time=start
        )
        scope = WorkSpan(self, span, name, start)
        self._open.append(scope)
        return scope

    def begin_step(self, parent: WorkSpan, name: str, *, order: int, weight: float, skipped: bool = False) -> WorkSpan:
        """Begin a step: a child span of ``parent`` named after it, and its marker."""
        check_name("name", name)
        name = self.names[name]
        attributes: dict[str, Any] = {
            semconv.STEP_NAME: name,
            semconv.STEP_ORDER: order,
            semconv.STEP_WEIGHT: float(weight),
            semconv.STEP_SKIPPED: skipped,
            **self.log_attributes,
        }
        scope = self._open_scope(parent, name, name, attributes, [])
        if self.live_spans == "steps" and not skipped and scope.context is not None:
            self.mark(scope, name, attributes)
        return scope

    def begin_rollback(self, parent: WorkSpan, name: str, *, failed: WorkSpan) -> WorkSpan:
        """Begin the rollback of a step: a child span of ``parent``, linked to the step that failed."""
        check_name("name", name)
        name = self.names[name]
        attributes = {
            semconv.STEP_NAME: name,
            semconv.STEP_PHASE: semconv.PHASE_ROLLBACK,
            **self.log_attributes,
        }
        linked = failed.span.get_span_context()
        links = [Link(linked, {semconv.STEP_NAME: failed.name or ""})] if linked.is_valid else []
        scope = self._open_scope(parent, name, semconv.ROLLBACK_PREFIX + name, attributes, links)
        scope.rollback = True
        return scope

    def end_scope(
        self,
        scope: WorkSpan,
        result: str,
        error: str | None,
        exception: BaseException | None,
        products: Mapping[str, Any] | None,
    ) -> None:
        """End the scope of a step or rollback."""
        if scope.ended or os.getpid() != self._process:
            return
        scope.ended = True
        if scope in self._open:
            self._open.remove(scope)
        self._forget_kinds(scope)
        if exception is not None:
            self.record_exception(scope, exception)
        end = max(time_ns(), scope.start)
        span = scope.span
        span.set_attribute(semconv.STEP_RESULT, result)
        if result == semconv.RESULT_SKIP:
            span.set_attribute(semconv.STEP_SKIPPED, True)  # noqa: FBT003 - the signature of OpenTelemetry
        if error:
            span.set_attribute(semconv.STEP_ERROR, str(readable(error)))
        produced = product_attributes(products or {})
        span.set_attributes(produced)
        self.root.span.set_attributes(produced)
        _finish(scope, result, exception, error, end)
        if not scope.rollback:
            seconds = (end - scope.start) / 1e9
            attributes = {**self.duration_attributes(), semconv.STEP_NAME: scope.name, semconv.STEP_RESULT: result}
            self._instruments.step_duration.record(seconds, attributes, scope.context)

    def _forget_kinds(self, scope: WorkSpan) -> None:
        for template in scope.forget_kinds():
            self._instruments.forget_template(template)

    def record_exception(self, scope: WorkSpan, exception: BaseException) -> BaseException:
        """Record an exception once, in the innermost span that it leaves; return the recorded one.

        An exception raised from a recorded one is not recorded again.
        """
        known = self._known(exception)
        if known is not None:
            return known
        self._recorded.append(exception)
        attributes = {**scope._attributes(None), **exception_attributes(exception)}  # noqa: SLF001
        body = titled(attributes[semconv.EXCEPTION_TYPE], attributes[semconv.EXCEPTION_MESSAGE])
        scope.emit(semconv.EVENT_EXCEPTION, body, LEVELS["error"], attributes)
        return exception

    def _known(self, exception: BaseException) -> BaseException | None:
        """Return the recorded exception: itself, or one that it was raised from."""
        one: BaseException | None = exception
        for _ in range(_EXCEPTIONS_KEPT):
            for known in self._recorded:
                if known is one:
                    return known
            one = one.__cause__ if one is not None else None
        return None

    def _result_of(self, exception: BaseException | None) -> str:
        """Return the job's result that an exception means; a timeout stays one if a workflow fails because of it."""
        result = result_of(exception)
        known = self._known(exception) if exception is not None and result == semconv.RESULT_FAILURE else None
        return semconv.RESULT_TIMEOUT if isinstance(known, TimeoutError) else result

    def end(self, exception: BaseException | None = None, result: str | None = None) -> str:
        """End the job and its open steps; return the result. A second call changes nothing."""
        if self.finished is not None or not self.is_own:
            return str((self.finished or {}).get(semconv.JOB_RESULT, result))
        result = result or self._result_of(exception)
        for scope in self._open[::-1]:
            self.end_scope(scope, result, None, exception, None)
        cause = exception
        if exception is not None and result != semconv.RESULT_SUCCESS:
            cause = self.record_exception(self.root, exception)
        end = max(time_ns(), self.root.start)
        seconds = (end - self.root.start) / 1e9
        ended: dict[str, Any] = {semconv.JOB_RESULT: result}
        if cause is not None and result != semconv.RESULT_SUCCESS:
            ended[semconv.ERROR_TYPE] = type(cause).__qualname__
        self.finished = {**ended, "seconds": seconds}
        self.root.span.set_attributes(ended)
        self._instruments.active.add(-1, self.attributes)
        self._instruments.job_duration.record(
            seconds, {**self.duration_attributes(), semconv.JOB_RESULT: result}, self.root.context
        )
        level = LEVELS["info" if result in _GOOD else "error"]
        body = f"job ended: {result} after {seconds:.3f} s"
        self.root.emit(semconv.EVENT_JOB_FINISHED, body, level, {**self.root_attributes(), **ended}, end)
        _finish(self.root, result, cause, None, end)
        self.root.ended = True
        self._forget_kinds(self.root)
        self._recorded.clear()
        LIVE[:] = [job for job in LIVE if job is not self]
        BLOCK.end(self.key, end)
        end_series(self.key)
        return result


_EXCEPTIONS_KEPT: Final = 16
"""Exceptions that are known again when they leave an outer scope: that of the work, and those of its rollbacks."""
_GOOD: Final = frozenset({semconv.RESULT_SUCCESS, semconv.RESULT_SKIP})


def _nothing() -> None:
    """Do nothing: the job is not delivered."""


def _finish(scope: WorkSpan, result: str, exception: BaseException | None, error: str | None, end: int) -> None:
    span: Span = scope.span
    scope.events.write(span)
    if result not in _GOOD:
        described = str(readable(exception)) if exception is not None else error
        span.set_status(Status(StatusCode.ERROR, described or result))
        span.set_attribute(semconv.ERROR_TYPE, type(exception).__qualname__ if exception is not None else result)
    span.end(end)
