"""A tracer provider whose spans are `JournalSpan` as long as they are for the journal alone."""

# ruff: noqa: FBT001, FBT002, FBT003, PLR0917 - the signatures are those of OpenTelemetry's API
from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ContextDecorator
from contextvars import Token
from types import TracebackType
from typing import Any, Final

from opentelemetry.context import Context, attach, detach
from opentelemetry.sdk.environment_variables import OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, SynchronousMultiSpanProcessor, TracerProvider
from opentelemetry.sdk.trace import Tracer as SdkTracer
from opentelemetry.sdk.trace.sampling import DEFAULT_ON
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    get_current_span,
    set_span_in_context,
)

from synapse_otel._otel_private import asks_whether_enabled
from synapse_otel.sdk.recorder import Recorder
from synapse_otel.sdk.span_processor import JournalSpanProcessor
from synapse_otel.sdk.span_writer import SpanWriter
from synapse_otel.sdk.spans import JournalSpan

_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_SAMPLED_RANDOM: Final = TraceFlags(TraceFlags.SAMPLED | TraceFlags.RANDOM_TRACE_ID)


class Processors(SynchronousMultiSpanProcessor):
    """The processors of a provider: ours, and those that others add."""

    def __init__(self, ours: SpanProcessor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        super().add_span_processor(ours)
        self.added: list[SpanProcessor] = []
        """They are given spans of ours when these end, and all that begin from then on."""

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Add a processor; from now on spans are the SDK's."""
        self.added.append(span_processor)
        super().add_span_processor(span_processor)


class JournalTracerProvider(TracerProvider):
    """The SDK's provider; its tracers begin spans of our own where the SDK's would do nothing that those do not.

    These are sampled spans under the default sampler, until a span processor is added. All others are the SDK's.
    """

    def __init__(
        self,
        recorder: Recorder,
        resource: Resource,
        id_generator: Any = None,
        limits: SpanLimits | None = None,
        **given: Any,
    ) -> None:
        self.limits: Final = limits or SpanLimits()
        self.processors: Final = Processors(JournalSpanProcessor(recorder))
        given = {"shutdown_on_exit": False, "active_span_processor": self.processors, **given}
        super().__init__(resource=resource, id_generator=id_generator, span_limits=self.limits, **given)
        self.writer: Final = SpanWriter(recorder)
        self.counts_spans = os.environ.get(OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED, "").strip().lower() == "true"
        """The SDK counts its own spans."""
        self._known: dict[tuple[str, str | None, str | None], JournalTracer] = {}

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Any = None,
    ) -> Tracer:
        """Return the tracer of an instrumentation scope; the SDK's own if it has attributes."""
        key = instrumenting_module_name, instrumenting_library_version, schema_url
        known = self._known.get(key) if not attributes else None
        if known is not None:
            return known
        made = super().get_tracer(*key, attributes)
        if attributes or not isinstance(made, SdkTracer):
            return made
        return self._known.setdefault(key, JournalTracer(self, made, *key))


class JournalTracer(SdkTracer):
    """Begins spans of one instrumentation scope. All else is that of the tracer which it stands for."""

    def __init__(  # the SDK's is not called
        self, provider: JournalTracerProvider, tracer: Any, name: str, version: str | None, schema_url: str | None
    ) -> None:
        self._tracer = tracer
        self._provider = provider
        self._processors = provider.processors
        self._is_on = asks_whether_enabled(tracer)
        self.writer = provider.writer
        self.limits = provider.limits
        self.instrumentation_scope = InstrumentationScope(name or "", version or "", schema_url)
        self.scope = provider.writer.recorder.scope(name or "", version, schema_url, None)

    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Any = None,
        links: Sequence[Link] | None = (),
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> Span:
        """Begin a span."""
        tracer = self._tracer
        around = get_current_span(context)
        parent: SpanContext | None = None if around is INVALID_SPAN else around.get_span_context()
        if not (
            not self._processors.added
            and tracer.span_processor is self._processors
            and not self._provider.counts_spans
            and tracer.sampler is DEFAULT_ON
            and self._is_on()
            and (type(around) is JournalSpan or parent is None or _is_followed(parent))
        ):
            started: Span = tracer.start_span(
                name, context, kind, attributes, links, start_time, record_exception, set_status_on_exception
            )
            return started
        ids = tracer.id_generator
        if parent is not None and parent.is_valid:
            trace_id, _, _, flags, state, _ = parent
            is_random = flags & TraceFlags.RANDOM_TRACE_ID
        else:
            parent = state = None
            trace_id, is_random = ids.generate_trace_id(), ids.is_trace_id_random()
        made = SpanContext(trace_id, ids.generate_span_id(), False, _SAMPLED_RANDOM if is_random else _SAMPLED, state)
        on_exception = record_exception, set_status_on_exception
        return JournalSpan(self, name, made, parent, kind, attributes, links, start_time, on_exception)

    def start_as_current_span(  # type: ignore[override]
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Any = None,
        links: Sequence[Link] | None = (),
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
    ) -> CurrentSpan:
        """Return a context manager, or decorator, in which a span that begins then is the current one."""
        begin = name, context, kind, attributes, links, start_time, record_exception, set_status_on_exception
        return CurrentSpan(self, begin, end_on_exit)

    def has_ended(self, span: JournalSpan) -> None:
        """Give a span of ours that has ended to the processors of others."""
        for processor in self._processors.added:
            processor.on_end(span.readable())
        recorder = self.writer.recorder
        if recorder.collect is not None:
            recorder.collect()

    def __setattr__(self, name: str, value: Any) -> None:
        """Set what the SDK's tracer has on that one: a sampler, say."""
        if name in _OWN:
            super().__setattr__(name, value)
        else:
            setattr(self._tracer, name, value)

    def __getattr__(self, name: str) -> Any:
        """Return what the SDK's tracer has of this name."""
        if name == "_tracer":
            raise AttributeError(name)
        return getattr(self._tracer, name)


_OWN: Final = frozenset(
    {"_is_on", "_processors", "_provider", "_tracer", "instrumentation_scope", "limits", "scope", "writer"}
)
"""What of a tracer is ours."""


def _is_followed(parent: Any) -> bool:
    """Return whether the default sampler samples a child: of a sampled parent, and of one that is none."""
    return type(parent) is SpanContext and bool(parent.trace_flags & _SAMPLED or not parent.is_valid)


_Begin = tuple[str, Context | None, SpanKind, Any, Sequence[Link] | None, int | None, bool, bool]


class CurrentSpan(ContextDecorator, AbstractContextManager[Span]):
    """A span that begins with a block, or with each call of a function, and is current in it."""

    __slots__ = ("_begin", "_ends", "_span", "_token", "_tracer")

    def __init__(self, tracer: JournalTracer, begin: _Begin, ends: bool) -> None:
        self._tracer = tracer
        self._begin = begin
        self._ends = ends
        self._span: Span
        self._token: Token[Context]

    def __enter__(self) -> Span:
        """Begin it."""
        span = self._span = self._tracer.start_span(*self._begin)
        self._token = attach(set_span_in_context(span))
        return span

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Record an exception, but none that only ends a thread or process, and end it."""
        detach(self._token)
        span = self._span
        try:
            if isinstance(error, Exception) and span.is_recording():
                record_exception, set_status = self._begin[-2:]
                if record_exception:
                    span.record_exception(error)
                if set_status:
                    span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
        finally:
            if self._ends:
                span.end()

    def __call__(self, function: Callable[..., Any]) -> Any:
        """Have each call of a function, asynchronous ones included, be such a block."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def asynchronous(*args: Any, **kwargs: Any) -> Any:
                with CurrentSpan(self._tracer, self._begin, self._ends):
                    return await function(*args, **kwargs)

            return asynchronous

        @functools.wraps(function)
        def synchronous(*args: Any, **kwargs: Any) -> Any:
            with CurrentSpan(self._tracer, self._begin, self._ends):
                return function(*args, **kwargs)

        return synchronous
