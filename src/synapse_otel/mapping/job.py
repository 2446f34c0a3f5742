"""A job: its root span, its steps, and the counters and series that all its scopes share."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Mapping
from time import time_ns
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, Status, StatusCode, get_current_span

from synapse_otel import semconv
from synapse_otel._text import cut, titled
from synapse_otel.journal.state_block import TEXT_LIMIT, CounterSlot, JobEntry, ProgressSlot
from synapse_otel.mapping.active import LIVE
from synapse_otel.mapping.arguments import check_name
from synapse_otel.mapping.counters import Counters
from synapse_otel.mapping.data import EventData, product_attributes
from synapse_otel.mapping.exceptions import exception_attributes, result_of
from synapse_otel.mapping.instruments import BLOCK, JOB_ATTRIBUTES, Instruments, end_series, instruments
from synapse_otel.mapping.levels import LEVELS
from synapse_otel.mapping.metric_series import SERIES_LIMIT, MetricSeries
from synapse_otel.mapping.names import Names, shown_name
from synapse_otel.mapping.span_scope import Scope
from synapse_otel.mapping.values import readable
from synapse_otel.semconv.readings import SlotKind

CATEGORY_LIMIT: Final = 128
"""Categories of progress and metrics that are kept each on its own; further ones share `semconv.OTHER`."""
EVENT_NAME_LIMIT: Final = 64
"""Event names that are counted each on its own; further ones are counted together as `semconv.OTHER`."""


SetUp = tuple[Callable[..., Callable[[], object]], tuple[Any, ...]]
"""A function that sets up the recording in another process and returns what flushes it there; and its arguments."""


class Job:
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
        self.id = job_id
        self.category = shown_name(category) if category is not None else None
        self.names = Names(self._say_cut)
        """Names of steps and events, and categories, as they are shown."""
        self.attributes = dict(attributes or {})
        """Attributes of every metric of the job."""
        self.log_attributes = {semconv.JOB_ID: job_id} if job_id is not None else {}
        self.live_spans = live_spans
        self.key = bytes(8)
        self.flush: Callable[[], object] = _nothing
        """Wait, within the exit budget, until all is delivered; set by whoever set up the delivery."""
        self.at_end: Callable[[], None] | None = None
        """Called when the job has ended; set by whoever runs it, as the next one is."""
        self.is_told = True
        """Whether the job's end is told to who runs it."""
        self.set_up: SetUp | None = None
        """How a process is set up that is handed this job; set by whoever set up this one."""
        self.finished: Mapping[str, Any] | None = None
        self.is_detached = own
        """No job has been started: there are only records."""
        self._own = own
        self._process = os.getpid()
        self._open: list[Scope] = []
        self._recorded: deque[BaseException] = deque(maxlen=_EXCEPTIONS_KEPT)
        self.add_data = EventData().add
        self._series: dict[str, tuple[MetricSeries, CounterSlot]] = {}
        self._categories: set[str] = set()
        self._categories_overflowed = False
        self._room = [SERIES_LIMIT]
        self._use(instruments())
        self.message_counts = Counters(self, SlotKind.MESSAGES, len(LEVELS))
        self.event_counts = Counters(self, SlotKind.EVENTS, EVENT_NAME_LIMIT)
        self.start_time = time_ns()
        self.root = Scope(self, None, None, self.start_time)

    def _use(self, made: Instruments) -> None:
        self._instruments = made
        self.emit = made.emit
        self.template = made.template
        self.record_samples = made.samples.record

    @property
    def current(self) -> Scope:
        """The step begun last and still open, else the job itself: for threads with no context of their own."""
        return self._open[-1] if self._open else self.root

    @property
    def ended(self) -> bool:
        """Whether the job has ended."""
        return self.finished is not None

    @property
    def is_own(self) -> bool:
        """Whether this process has started the job: then it ends it."""
        return self._own and self._process == os.getpid()

    def scope_of(self, span_id: int) -> Scope:
        """Return the open step of a span id, else the job itself."""
        return next((scope for scope in self._open if scope.span.get_span_context().span_id == span_id), self.root)

    def share(self, other: Job) -> None:
        """Count and number series together with another object of the same job."""
        self._series, self._room, self._categories = other._series, other._room, other._categories
        self.message_counts, self.event_counts = other.message_counts, other.event_counts

    def __deepcopy__(self, _memo: object) -> Job:
        """Return the job itself: it is one, however often what refers to it is copied."""
        return self

    # --- what scopes share --------------------------------------------------------------------------

    def _bounded(self, category: str | None) -> str:
        """Return the name under which a category is kept: its own, or, of those beyond the limit, a shared one."""
        if not category or category in self._categories:
            return category or ""
        if len(self._categories) < CATEGORY_LIMIT:
            self._categories.add(category)
            return category
        if not self._categories_overflowed:
            self._categories_overflowed = True
            limit = (
                f"progress and metrics have more than {CATEGORY_LIMIT} categories; {category!r} and further ones are"
            )
            attributes = self.root_attributes()
            self.root.emit(
                semconv.EVENT_MESSAGE, f"{limit} kept together as {semconv.OTHER!r}", LEVELS["warning"], attributes
            )
        return semconv.OTHER

    def _say_cut(self, name: str, shown: str) -> None:
        text = f"the name {cut(name)!r} is longer than {TEXT_LIMIT} bytes: it and further ones are cut, as {shown!r}"
        self.root.emit(semconv.EVENT_MESSAGE, text, LEVELS["warning"], self.root_attributes())

    def progress_slot(self, category: str | None) -> ProgressSlot:
        """Return the state block's slot of a category; None is the job as a whole."""
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

    # --- spans --------------------------------------------------------------------------------------

    def start(self, name: str, attributes: dict[str, Any], parent: Context | None) -> None:
        """Begin the job's own span, current from now on, and say that the job has started."""
        self.is_detached = False
        start = self.start_time = time_ns()
        around = None if get_current_span().get_span_context().is_valid else parent
        span = self._instruments.tracer.start_span(name, around, attributes=attributes, start_time=start)
        self.key = span.get_span_context().span_id.to_bytes(8, "big")
        JOB_ATTRIBUTES[self.key] = self.attributes
        context = span.get_span_context()
        entry = JobEntry(
            self.key, start, self.attributes, self.category or "", context.trace_id, int(context.trace_flags)
        )
        BLOCK.begin(entry)
        self.root = Scope(self, span, None, start)
        LIVE.append(self.root)
        if self.live_spans in {"job", "steps"}:
            self.mark(self.root, name, attributes)
        self._instruments.active.add(1, self.attributes)
        self.root.emit(semconv.EVENT_JOB_STARTED, f"{name} started", LEVELS["info"], self.root_attributes())

    def root_attributes(self) -> dict[str, Any]:
        """Return the attributes of the records that tell of the job's own life."""
        attributes = {**self.attributes, **self.log_attributes}
        return {**attributes, semconv.CATEGORY: self.category} if self.category else attributes

    def start_span(self, name: str, around: Context, attributes: dict[str, Any], start: int) -> Span:
        """Begin a span that is no step's own; ``start`` is Unix time in ns."""
        return self._instruments.tracer.start_span(name, around, attributes=attributes, start_time=start)

    def mark(self, scope: Scope, name: str, attributes: dict[str, Any]) -> None:
        """Record the span that shows another one as begun, which is sent only when it has ended."""
        marker = self._instruments.tracer.start_span(
            name + semconv.MARKER_SUFFIX,
            scope.context,
            attributes={**attributes, semconv.SPAN_MARKER: True},
            start_time=scope.start,
        )
        marker.end(scope.start + 1)  # Jaeger warns on every span that ends when it begins

    def _open_scope(
        self, parent: Scope, name: str, span_name: str, attributes: dict[str, Any], links: list[Link]
    ) -> Scope:
        start = time_ns()
        span = self._instruments.tracer.start_span(
            span_name, parent.context, attributes=attributes, links=links, start_time=start
        )
        scope = Scope(self, span, name, start)
        self._open.append(scope)
        return scope

    def begin_step(self, parent: Scope, name: str, *, order: int, weight: float, skipped: bool = False) -> Scope:
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

    def begin_rollback(self, parent: Scope, name: str, *, failed: Scope) -> Scope:
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
        scope: Scope,
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
            attributes = {**self._duration_attributes(), semconv.STEP_NAME: scope.name, semconv.STEP_RESULT: result}
            self._instruments.step_duration.record(seconds, attributes, scope.context)

    def _forget_kinds(self, scope: Scope) -> None:
        for template in scope.forget_kinds():
            self._instruments.forget_template(template)

    def _duration_attributes(self) -> dict[str, Any]:
        return {key: value for key, value in self.attributes.items() if key != semconv.JOB_ID}

    def record_exception(self, scope: Scope, exception: BaseException) -> BaseException:
        """Record an exception once, in the innermost scope that it leaves; return the one that was recorded.

        What was raised from a recorded exception says nothing new.
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
        """Return what was recorded of an exception: itself, or what it was raised from."""
        return next((known for known in self._recorded if known is exception or known is exception.__cause__), None)

    def _result_of(self, exception: BaseException | None) -> str:
        """Return the job's result that an exception means; a timeout stays one if a workflow fails because of it."""
        result = result_of(exception)
        known = self._known(exception) if exception is not None and result == semconv.RESULT_FAILURE else None
        return semconv.RESULT_TIMEOUT if isinstance(known, TimeoutError) else result

    def end(self, exception: BaseException | None = None, result: str | None = None) -> str:
        """End the job and what is still open of it; return the result. A second call changes nothing."""
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
            seconds, {**self._duration_attributes(), semconv.JOB_RESULT: result}, self.root.context
        )
        level = LEVELS["info" if result in _GOOD else "error"]
        body = f"job ended: {result} after {seconds:.3f} s"
        self.root.emit(semconv.EVENT_JOB_FINISHED, body, level, {**self.root_attributes(), **ended}, end)
        _finish(self.root, result, cause, None, end)
        self.root.ended = True
        self._forget_kinds(self.root)
        self._recorded.clear()
        LIVE[:] = [root for root in LIVE if root is not self.root]
        BLOCK.end(self.key, end)
        end_series(self.key)
        return result


_EXCEPTIONS_KEPT: Final = 16
"""Exceptions that are known again when they leave an outer scope: that of the work, and those of its rollbacks."""
_GOOD: Final = frozenset({semconv.RESULT_SUCCESS, semconv.RESULT_SKIP})


def _nothing() -> None:
    """Stand in for the flush of a job that nobody delivers."""


def _finish(scope: Scope, result: str, exception: BaseException | None, error: str | None, end: int) -> None:
    span: Span = scope.span
    scope.events.write(span)
    if result not in _GOOD:
        described = str(readable(exception)) if exception is not None else error
        span.set_status(Status(StatusCode.ERROR, described or result))
        span.set_attribute(semconv.ERROR_TYPE, type(exception).__qualname__ if exception is not None else result)
    span.end(end)
