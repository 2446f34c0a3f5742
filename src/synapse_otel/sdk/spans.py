"""Spans of our own: they hold what they were given, and write what the journal needs when they begin and end.

They behave as the OpenTelemetry SDK's do, whose own classes clean what is not plain, without a lock, a copy or an
object that nobody reads.
"""

# ruff: noqa: FBT001, FBT002 - the signatures are those of OpenTelemetry's API
from __future__ import annotations

import logging
import traceback
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from threading import Lock
from time import time_ns
from types import MappingProxyType, TracebackType
from typing import Any, Final, Protocol

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanLimits
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.semconv.attributes.exception_attributes import (
    EXCEPTION_ESCAPED,
    EXCEPTION_MESSAGE,
    EXCEPTION_STACKTRACE,
    EXCEPTION_TYPE,
)
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode

from synapse_otel.sdk.span_processor import STATUSES, otlp_kind
from synapse_otel.sdk.span_writer import SpanWriter

_log = logging.getLogger(__name__)
_PLAIN: Final = frozenset({str, int, float, bool, type(None), bytes})
_NOTHING: Final[dict[str, Any]] = {}
_UNSET: Final = Status(StatusCode.UNSET)
_NO_STATUS: Final = (0, "")
_Event = tuple[int, str, dict[str, Any], int]
_Link = tuple[SpanContext, dict[str, Any], int]


class Owner(Protocol):
    """What a span takes from its tracer."""

    writer: SpanWriter
    limits: SpanLimits
    scope: int
    """The number of its instrumentation scope."""
    instrumentation_scope: InstrumentationScope
    instrumentation_info: Any
    resource: Resource

    def has_ended(self, span: JournalSpan) -> None:
        """Take notice of the end of a span."""


def cleaned(attributes: Any, most: int | None, longest: int | None) -> tuple[dict[str, Any], int]:
    """Return a copy of attributes as the SDK keeps them, and how many it drops.

    Args:
        attributes: what the caller gives.
        most: how many are kept, the last ones; None: all.
        longest: characters of a text that are kept; None: all.
    """
    if not attributes:
        return {}, 0
    if type(attributes) is dict and longest is None and (most is None or len(attributes) <= most):
        copied = attributes.copy()
        for key, value in copied.items():
            if type(key) is not str or not key or type(value) not in _PLAIN:
                break
        else:
            return copied, 0
    bounded = BoundedAttributes(most, attributes, max_value_len=longest)
    return dict(bounded.copy()), bounded.dropped


class ReadSpan(SdkSpan):
    """What can be read of a span of ours: what the properties of `ReadableSpan`, and libraries, read of the SDK's."""

    _tracer: Owner
    _name: str
    _parent: SpanContext | None
    _kind: SpanKind
    _start_time: int
    _limits: SpanLimits
    _context: SpanContext
    _dropped_attributes = 0
    _dropped_events = 0
    _dropped_links = 0
    _end_time: int | None = None
    _status: Status = _UNSET
    _kept_events: list[_Event]
    _kept_links: list[_Link]

    @abstractmethod
    def _in_order(self) -> dict[str, Any]:
        """Return a copy of the attributes, which other threads may still set, the newest last."""

    def readable(self) -> ReadableSpan:
        """Return what it holds now as the SDK's processors and exporters are given it."""
        attributes = BoundedAttributes(None, self._in_order())
        attributes.dropped = self._dropped_attributes
        return ReadableSpan(
            self._name,
            self._context,
            self._parent,
            self._tracer.resource,
            attributes,
            self._events,
            self._links,
            self._kind,
            status=self._status,
            start_time=self._start_time,
            end_time=self._end_time,
            instrumentation_info=self._tracer.instrumentation_info,
            instrumentation_scope=self._tracer.instrumentation_scope,
        )

    _readable_span = readable

    @property
    def _events(self) -> Any:  # type: ignore[override]
        events: Any = BoundedList(self._limits.max_events)
        events.extend([Event(name, _bounded(kept, lost), time) for time, name, kept, lost in list(self._kept_events)])
        events.dropped = self._dropped_events
        return events

    @property
    def _links(self) -> Any:  # type: ignore[override]
        links: Any = BoundedList(self._limits.max_links)
        links.extend([Link(context, _bounded(kept, lost)) for context, kept, lost in list(self._kept_links)])
        links.dropped = self._dropped_links
        return links

    @property
    def _resource(self) -> Resource:  # type: ignore[override]
        return self._tracer.resource

    @property
    def _instrumentation_scope(self) -> InstrumentationScope:  # type: ignore[override]
        return self._tracer.instrumentation_scope

    @property
    def _instrumentation_info(self) -> Any:  # type: ignore[override]
        return self._tracer.instrumentation_info

    @property
    def attributes(self) -> Mapping[str, Any]:
        """A copy of the attributes."""
        return MappingProxyType(self._in_order())

    @property
    def dropped_attributes(self) -> int:
        """How many attributes were dropped."""
        return self._dropped_attributes

    @property
    def dropped_events(self) -> int:
        """How many events were dropped."""
        return self._dropped_events

    @property
    def dropped_links(self) -> int:
        """How many links were dropped."""
        return self._dropped_links

    def to_json(self, indent: int | None = 4) -> str:
        """Return what it holds now as JSON."""
        return str(self.readable().to_json(indent))


class JournalSpan(ReadSpan):
    """A sampled span that is for the journal alone, unless a span processor is added while it goes on.

    It is one of the SDK's for those who ask; each of its methods is made here.
    """

    def __init__(  # noqa: PLR0917 - the SDK's is not called; keywords would cost a tenth of it all
        self,
        tracer: Owner,
        name: str,
        context: SpanContext,
        parent: SpanContext | None,
        kind: SpanKind,
        attributes: Any,
        links: Sequence[Link] | None,
        start_time: int | None,
        on_exception: tuple[bool, bool],
    ) -> None:
        limits = self._limits = tracer.limits
        self._tracer = tracer
        self._name = name
        self._context = context
        self._parent = parent
        self._kind = kind
        self._on_exception = on_exception
        """Whether one that leaves its block is recorded, and sets the status."""
        self._attributes: dict[str, Any] = {}
        if attributes:
            self._attributes, dropped = cleaned(
                attributes, limits.max_span_attributes, limits.max_span_attribute_length
            )
            if dropped:
                self._dropped_attributes = dropped
        self._set_again: dict[str, None] = {}
        """Keys of attributes that were set again, and of those set after them, the last set last."""
        self._evicting = Lock()
        self._kept_events: list[_Event] = []
        self._kept_links: list[_Link] = []
        if links:
            for link in filter(None, links):
                self._take_link(link.context, link.attributes)
        start = self._start_time = time_ns() if start_time is None else start_time
        writer = tracer.writer
        begin = writer.opened(context, parent, start, tracer.scope)
        self._begun = [begin]
        """Taken out by the one call that ends the span."""
        of_links = self._written_links() if self._kept_links else ()
        writer.write_open(begin, name, otlp_kind(kind), self._attributes, of_links)

    def get_span_context(self) -> SpanContext:
        """Return the ids, flags and state of the trace."""
        return self._context

    def is_recording(self) -> bool:
        """Return whether it has not ended."""
        return self._end_time is None

    # --- attributes -----------------------------------------------------------------------------------

    def set_attribute(self, key: str, value: Any) -> None:
        """Set an attribute; the last ones stay where there are more than the limit."""
        if self._end_time is not None:
            _log.warning("Setting attribute on ended span.")
            return
        if type(key) is str and key and type(value) in _PLAIN and self._limits.max_span_attribute_length is None:
            self._put(key, value)
            return
        one = BoundedAttributes(immutable=False, max_value_len=self._limits.max_span_attribute_length)
        one[key] = value
        self._dropped_attributes += one.dropped
        for known, kept in one.copy().items():
            self._put(known, kept)

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Set attributes."""
        if self._end_time is not None:
            _log.warning("Setting attribute on ended span.")
            return
        kept, dropped = cleaned(attributes, None, self._limits.max_span_attribute_length)
        self._dropped_attributes += dropped
        for key, value in kept.items():
            self._put(key, value)

    def _put(self, key: str, value: Any) -> None:
        attributes, most = self._attributes, self._limits.max_span_attributes
        if key in attributes:
            # One that is set again is the newest: `_in_order` puts it there, so that it is never missing meanwhile.
            attributes[key] = value
            self._set_again.pop(key, None)
            self._set_again[key] = None
            return
        if most is not None and len(attributes) >= most:
            with self._evicting:
                _log.warning("The span has %d attributes: the oldest one makes room for %r", most, key)
                self._evict(attributes, most - 1)
                if not most:
                    self._dropped_attributes += 1
                    return
        attributes[key] = value
        if self._set_again:
            self._set_again[key] = None

    def _evict(self, attributes: dict[str, Any], most: int) -> None:
        """Drop the oldest attributes down to a number."""
        while len(attributes) > max(most, 0):
            again = self._set_again
            oldest = next((key for key in list(attributes) if key not in again), None) or next(iter(list(again)))
            attributes.pop(oldest, None)
            again.pop(oldest, None)
            self._dropped_attributes += 1

    def _in_order(self) -> dict[str, Any]:
        """Return a copy of the attributes, which other threads may still set, the newest last."""
        copied = self._attributes.copy()
        for key in list(self._set_again):
            if key in copied:
                copied[key] = copied.pop(key)
        return copied

    # --- events and links -----------------------------------------------------------------------------

    def add_event(self, name: str, attributes: Any = None, timestamp: int | None = None) -> None:
        """Add an event; ``timestamp``: Unix time in ns."""
        limits = self._limits
        kept, dropped = (
            cleaned(attributes, limits.max_event_attributes, limits.max_attribute_length)
            if attributes
            else (_NOTHING, 0)
        )
        now = time_ns() if timestamp is None else timestamp
        if self._has_ended("add_event"):
            return
        self._kept_events.append((now, name, kept, dropped))
        if limits.max_events is not None and len(self._kept_events) > limits.max_events:
            del self._kept_events[0]
            self._dropped_events += 1

    def add_link(self, context: SpanContext, attributes: Any = None) -> None:
        """Add a link to another span."""
        if not self._has_ended("add_link"):
            self._take_link(context, attributes)

    def _take_link(self, context: SpanContext, attributes: Any) -> None:
        if not (context and (context.is_valid or attributes or context.trace_state)):
            return
        limits = self._limits
        self._kept_links.append(
            (context, *cleaned(attributes, limits.max_link_attributes, limits.max_attribute_length))
        )
        if limits.max_links is not None and len(self._kept_links) > limits.max_links:
            del self._kept_links[0]
            self._dropped_links += 1

    def record_exception(
        self, exception: BaseException, attributes: Any = None, timestamp: int | None = None, escaped: bool = False
    ) -> None:
        """Add an event about an exception."""
        kind = type(exception)
        module = kind.__module__
        given: dict[str, Any] = {
            EXCEPTION_TYPE: f"{module}.{kind.__qualname__}" if module and module != "builtins" else kind.__qualname__,
            EXCEPTION_MESSAGE: str(exception),
            EXCEPTION_STACKTRACE: "".join(traceback.format_exception(exception)),
            EXCEPTION_ESCAPED: str(escaped),
        }
        if attributes:
            given.update(attributes)
        self.add_event("exception", given, timestamp)

    # --- name, status, end ----------------------------------------------------------------------------

    def update_name(self, name: str) -> None:
        """Give it another name."""
        if not self._has_ended("update_name"):
            self._name = name

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Set the status, unless it is OK already, or the new one is unset."""
        if self._has_ended("set_status"):
            return
        code = status.status_code if isinstance(status, Status) else status
        if code is StatusCode.UNSET or (self._status.status_code is StatusCode.OK):
            return
        if isinstance(status, Status):
            if description is not None:
                _log.warning("Description %s ignored. Use either `Status` or `(StatusCode, Description)`", description)
            self._status = status
        elif isinstance(status, StatusCode):
            self._status = Status(status, description)

    def end(self, end_time: int | None = None) -> None:
        """End it; ``end_time``: Unix time in ns."""
        try:
            begin = self._begun.pop()  # of two threads that end it, one can
        except IndexError:
            _log.warning("Calling end() on an ended span.")
            return
        end = self._end_time = time_ns() if end_time is None else end_time
        tracer, status = self._tracer, self._status
        tracer.writer.write_ended(
            begin,
            self._name,
            otlp_kind(self._kind),
            self._in_order() if self._set_again else self._attributes.copy(),  # another thread may still set some
            end=end,
            status=_NO_STATUS if status is _UNSET else (STATUSES.get(status.status_code, 0), status.description or ""),
            events=self._kept_events,
            links=self._written_links() if self._kept_links else (),
            dropped=(self._dropped_attributes, self._dropped_events, self._dropped_links),
        )
        tracer.has_ended(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Record an exception that leaves the block, as it was begun to do, and end."""
        if error is not None and self.is_recording():
            is_recorded, sets_status = self._on_exception
            if is_recorded:
                self.record_exception(error, escaped=True)
            if sets_status:
                self.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
        self.end()

    def _has_ended(self, call: str) -> bool:
        if self._end_time is None:
            return False
        _log.warning("Tried calling %s on an ended span.", call)
        return True

    def _written_links(self) -> list[tuple[SpanContext, dict[str, Any]]]:
        return [(context, attributes) for context, attributes, _ in self._kept_links]

    def __repr__(self) -> str:
        """Say which it is."""
        return f'{type(self).__name__}(name="{self._name}", context={self._context})'


def _bounded(kept: dict[str, Any], dropped: int) -> BoundedAttributes:
    bounded = BoundedAttributes(None, kept)
    bounded.dropped = dropped
    return bounded
