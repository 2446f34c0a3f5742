"""Our spans write what the SDK's write, byte for byte, whatever is done with them."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, _disable_tracer_configurator
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace import Tracer as SdkTracer
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from synapse_otel.sdk.spans import JournalSpan, ReadSpan
from synapse_otel.sdk.tracers import CurrentSpan, JournalTracer
from synapse_otel.testing.fixed import Ids, fixed_clock
from tests.sdk.conftest import of_ours, of_the_sdk
from tests.sdk.kept_frames import Frames


class Odd:
    """A value of a kind that no attribute has."""

    def __str__(self) -> str:
        return "odd"


class Silent:
    """One that has no text of its own."""


LIMITS = [
    SpanLimits(),
    SpanLimits(max_span_attributes=2, max_events=2, max_links=1, max_event_attributes=1, max_link_attributes=1),
    SpanLimits(max_attribute_length=3, max_span_attribute_length=2),
    SpanLimits(max_span_attributes=0, max_events=0, max_links=0, max_event_attributes=0, max_link_attributes=0),
    SpanLimits(*[SpanLimits.UNSET] * 8),
]
CONTEXTS = [
    SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1)),
    SpanContext(3, 4, is_remote=True, trace_flags=TraceFlags(3), trace_state=TraceState([("a", "b")])),
    SpanContext(5, 6, is_remote=True, trace_flags=TraceFlags(0)),
    SpanContext(0, 0, is_remote=False),
    SpanContext(0, 0, is_remote=False, trace_state=TraceState([("c", "d")])),
]
TEXTS = st.sampled_from(["", "a", "b", "key", "password", "longer text", "ä€😀", "\ud800"])
KEYS = st.one_of(TEXTS, st.sampled_from([1, None, Odd(), Silent()]))
PLAIN = st.one_of(TEXTS, st.integers(-(1 << 70), 1 << 70), st.floats(allow_nan=False), st.booleans(), st.none())
VALUES = st.one_of(
    PLAIN,
    st.binary(max_size=5),
    st.lists(PLAIN, max_size=3),
    st.dictionaries(KEYS, PLAIN, max_size=2),
    st.sampled_from([Odd(), Silent(), (1, [2])]),
)
ATTRIBUTES = st.one_of(st.none(), st.dictionaries(KEYS, VALUES, max_size=4))
TIMES = st.one_of(st.none(), st.integers(0, 1 << 62))
STATUSES = st.sampled_from([StatusCode.UNSET, StatusCode.OK, StatusCode.ERROR])
CALLS = st.one_of(
    st.tuples(st.just("set_attribute"), KEYS, VALUES),
    st.tuples(st.just("set_attributes"), st.dictionaries(KEYS, VALUES, max_size=4)),
    st.tuples(st.just("add_event"), TEXTS, ATTRIBUTES, TIMES),
    st.tuples(st.just("add_link"), st.sampled_from(CONTEXTS), ATTRIBUTES),
    st.tuples(st.just("update_name"), TEXTS),
    st.tuples(st.just("set_status"), STATUSES, st.one_of(st.none(), TEXTS)),
    st.tuples(st.just("set_status"), st.builds(Status, st.just(StatusCode.ERROR), TEXTS)),
    st.tuples(st.just("record_exception"), st.just(ValueError("wrong")), ATTRIBUTES, TIMES, st.booleans()),
    st.tuples(st.just("end"), TIMES),
)
LINKS = st.lists(st.tuples(st.sampled_from(CONTEXTS), ATTRIBUTES), max_size=3)


def play(provider: Any, parent: Context, begin: dict[str, Any], links: list[Any], calls: list[Any]) -> list[Any]:
    """Begin a span, make calls, and end it; return what could be read of it after each."""
    made = [Link(context, attributes) for context, attributes in links]
    seen: list[Any] = []
    span = provider.get_tracer("scope", "1.0").start_span("name", parent, links=made, **begin)
    for name, *arguments in (*calls, ("end",)):
        try:
            getattr(span, name)(*arguments)
        except Exception as error:  # noqa: BLE001 - both raise the same
            seen.append((name, type(error)))
        seen.append(read(span))
    return seen


def read(span: Any) -> Any:
    if not isinstance(span, ReadableSpan):
        return type(span), span.is_recording()
    return (
        span.is_recording(), span.name, span.kind, span.start_time, span.end_time, span.context, span.parent,
        span.status.status_code, span.status.description, repr(dict(span.attributes)),
        [(one.name, one.timestamp, repr(dict(one.attributes)), one.dropped_attributes) for one in span.events],
        [(link.context, repr(dict(link.attributes)), link.dropped_attributes) for link in span.links],
        span.dropped_attributes, span.dropped_events, span.dropped_links, span.instrumentation_scope,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _quiet():
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@given(
    st.sampled_from(LIMITS),
    st.sampled_from([None, *CONTEXTS]),
    st.fixed_dictionaries({"kind": st.sampled_from(list(SpanKind)), "attributes": ATTRIBUTES, "start_time": TIMES}),
    LINKS,
    st.lists(CALLS, max_size=6),
)
@example(LIMITS[1], None, {"attributes": {"a": 1, "b": 2}}, [], [("set_attribute", "a", 3), ("set_attribute", "c", 4)])
def test_the_same_calls_write_the_same_bytes(limits, parent, begin, links, calls):
    context = Context() if parent is None else set_span_in_context(NonRecordingSpan(parent), Context())
    found = []
    for make in (of_the_sdk, of_ours):
        frames, ids = Frames(), Ids()
        with ids.fixed(), fixed_clock():
            seen = play(make(frames, ids, limits), context, begin, links, calls)
        found.append((seen, frames.written))
    assert found[1] == found[0]


def test_they_are_ours_only_where_nobody_else_is_to_hear_of_them():
    frames, ids = Frames(), Ids()
    provider = of_ours(frames, ids)
    tracer = provider.get_tracer("scope")
    assert isinstance(tracer, JournalTracer)
    assert isinstance(tracer, SdkTracer)
    assert provider.get_tracer("scope") is tracer
    assert type(tracer.start_span("a")) is JournalSpan
    unsampled = set_span_in_context(NonRecordingSpan(CONTEXTS[2]))
    assert type(tracer.start_span("a", unsampled)) is NonRecordingSpan
    assert not isinstance(provider.get_tracer("scope", attributes={"a": 1}), JournalTracer)
    provider.add_span_processor(SpanProcessor())
    begun = tracer.start_span("a")
    assert isinstance(begun, SdkSpan)
    assert not isinstance(begun, JournalSpan)


def test_a_sampler_of_the_hosts_decides(monkeypatch):
    frames = Frames()
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    provider = of_ours(frames, Ids())
    assert provider.sampler is ALWAYS_OFF
    assert not provider.get_tracer("scope").start_span("a").is_recording()
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_on")
    span = (
        of_ours(frames, Ids()).get_tracer("scope").start_span("b", set_span_in_context(NonRecordingSpan(CONTEXTS[2])))
    )
    assert span.is_recording(), "whatever the parent says"
    span.end()
    assert [one.name for one in frames.spans()] == ["b"]


def test_a_processor_that_is_added_later_hears_of_the_end_of_each_span():
    frames, heard = Frames(), InMemorySpanExporter()
    provider = of_ours(frames, Ids())
    tracer = provider.get_tracer("scope", "1.0")
    before = tracer.start_span("before", attributes={"a": 1}, kind=SpanKind.CLIENT)
    provider.add_span_processor(SimpleSpanProcessor(heard))
    with tracer.start_as_current_span("after"):
        before.add_event("event", {"b": [2]})
        before.end()
    first, second = heard.get_finished_spans()
    assert (first.name, second.name) == ("before", "after")
    assert first.attributes == {"a": 1}
    assert first.kind is SpanKind.CLIENT
    assert dict(first.events[0].attributes) == {"b": (2,)}
    assert first.instrumentation_scope == second.instrumentation_scope
    assert first.resource == second.resource
    assert [span.name for span in frames.spans()] == ["before", "after"]


@pytest.mark.parametrize("make", [of_the_sdk, of_ours])
@pytest.mark.parametrize("options", [{}, {"record_exception": False}, {"set_status_on_exception": False}])
@pytest.mark.parametrize("error", [ValueError("wrong"), KeyboardInterrupt(), StopIteration(), None])
def test_an_exception_that_leaves_a_block_is_recorded(make, options, error):
    frames, ids = Frames(), Ids()
    tracer = make(frames, ids).get_tracer("scope")
    for block in (tracer.start_as_current_span("current", **options), tracer.start_span("given", **options)):
        with suppress(ValueError, KeyboardInterrupt, StopIteration), block as span:
            assert span.is_recording()
            if error is not None:
                raise error
    current, started = frames.spans()
    recorded = error is not None and options.get("record_exception", True)
    failed = error is not None and options.get("set_status_on_exception", True)
    is_error = isinstance(error, Exception)
    assert len(started.events) == recorded
    assert len(current.events) == (recorded and is_error)
    said = f"{type(error).__name__}: {error}"
    assert (started.status, started.status_message) == ((2, said) if failed else (0, ""))
    assert (current.status, current.status_message) == ((2, said) if failed and is_error else (0, ""))
    for event in current.events:
        assert event.attributes["exception.type"] == type(error).__name__
        assert event.attributes["exception.message"] == str(error)
        assert event.attributes["exception.escaped"] == "False"
        assert "raise error" in event.attributes["exception.stacktrace"]


def test_a_decorated_function_begins_a_span_at_each_call():
    frames = Frames()
    tracer = of_ours(frames, Ids()).get_tracer("scope")

    @tracer.start_as_current_span("sync")
    def work(number: int) -> int:
        """Say what it does."""
        assert trace.get_current_span().is_recording()
        return number

    @tracer.start_as_current_span("async")
    async def later(number: int) -> int:
        await asyncio.sleep(0)
        assert trace.get_current_span().is_recording()
        return number

    assert not frames.written
    assert work.__doc__ == "Say what it does."
    assert [work(1), work(2), asyncio.run(later(3))] == [1, 2, 3]
    assert [span.name for span in frames.spans()] == ["sync", "sync", "async"]
    assert len({span.span_id for span in frames.spans()}) == 3


def test_a_block_that_does_not_end_its_span_leaves_it_open():
    frames = Frames()
    block = of_ours(frames, Ids()).get_tracer("scope").start_as_current_span("a", end_on_exit=False)
    assert isinstance(block, CurrentSpan)
    with block as span:
        assert trace.get_current_span() is span
    assert trace.get_current_span() is not span
    assert span.is_recording()


def test_children_have_the_ids_and_flags_that_the_sdks_have():
    found = []
    for make in (of_the_sdk, of_ours):
        frames, ids = Frames(), Ids()
        with ids.fixed(), fixed_clock():
            tracer = make(frames, ids).get_tracer("scope")
            with tracer.start_as_current_span("outer"):
                tracer.start_span("inner").end()
        with fixed_clock(), tracer.start_as_current_span("random"):
            pass
        *counted, random = frames.spans()
        found.append((counted, random.flags))
    assert found[0] == found[1]


def test_of_many_threads_that_end_a_span_one_does():
    frames = Frames()
    tracer = of_ours(frames, Ids()).get_tracer("scope")
    for _ in range(50):
        span = tracer.start_span("a")
        threads = [threading.Thread(target=span.end) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(frames.spans()) == 50


def test_attributes_are_set_while_the_span_is_ended_in_another_thread():
    frames = Frames()
    tracer = of_ours(frames, Ids()).get_tracer("scope")
    for turn in range(50):
        span = tracer.start_span("a")

        def fill(span: Any = span, turn: int = turn) -> None:
            for number in range(200):
                span.set_attribute(f"key {turn} {number % 130}", number)  # a new one is judged in Python
                span.add_event("event")

        thread = threading.Thread(target=fill)
        thread.start()
        span.end()
        thread.join()
    assert len(frames.spans()) == 50


@pytest.fixture
def _hasty():
    """Threads take turns far more often than they do."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_hasty")
def test_an_attribute_that_is_set_again_is_never_missing():
    frames = Frames()
    tracer = of_ours(frames, Ids()).get_tracer("scope")
    for _ in range(200):
        span = tracer.start_span("a", attributes={"progress": 0})
        begun, over = threading.Event(), threading.Event()

        def advance(span: Any = span, begun: Any = begun, over: Any = over) -> None:
            while not over.is_set():
                span.set_attribute("progress", 1)
                begun.set()

        thread = threading.Thread(target=advance)
        thread.start()
        begun.wait()
        span.end()
        over.set()
        thread.join()
    assert all(span.attributes for span in frames.spans())


@pytest.mark.usefixtures("_hasty")
def test_a_span_is_read_while_another_thread_fills_it():
    span = of_ours(Frames(), Ids()).get_tracer("scope").start_span("a")
    over = threading.Event()

    def fill() -> None:
        number = 0
        while not over.is_set():
            number += 1
            span.set_attribute(f"key {number % 200}", number)
            span.add_event("event", {"number": number})

    thread = threading.Thread(target=fill)
    thread.start()
    try:
        for _ in range(1_000):
            assert span.name == "a"
            assert len(span.attributes) <= 128
            span.to_json()
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("make", [of_the_sdk, of_ours])
def test_numbers_of_numpy_are_recorded(make):
    frames = Frames()
    tracer = make(frames, Ids()).get_tracer("scope")
    loss = np.float64(0.5)
    with tracer.start_as_current_span("a", attributes={"first": loss}) as span:
        span.set_attribute("loss", loss)
        span.add_event("event", {"losses": [loss], "bytes": np.bytes_(b"x")})
    (written,) = frames.spans()
    assert written.attributes == {"first": 0.5, "loss": 0.5}
    assert written.events[0].attributes == {"losses": [0.5], "bytes": b"x"}


def test_a_processor_that_goes_round_the_provider_is_given_every_span():
    heard = InMemorySpanExporter()
    provider = of_ours(Frames(), Ids())
    provider._active_span_processor.add_span_processor(SimpleSpanProcessor(heard))
    provider.get_tracer("scope").start_span("a").end()
    assert [span.name for span in heard.get_finished_spans()] == ["a"]


def test_what_is_set_on_a_tracer_is_the_sdks():
    tracer = of_ours(Frames(), Ids()).get_tracer("scope")
    tracer.sampler = ALWAYS_OFF
    assert tracer.sampler is ALWAYS_OFF
    assert not tracer.start_span("a").is_recording()


def test_what_libraries_read_of_the_sdks_private_state_is_there():
    span = of_ours(Frames(), Ids()).get_tracer("scope").start_span("a")
    span.set_status(StatusCode.ERROR, "wrong")
    span.add_event("event")
    assert span._status.status_code is StatusCode.ERROR
    assert [event.name for event in span._events] == ["event"]
    assert span._readable_span().status is span.status


def test_a_status_that_is_none_is_unset():
    frames = Frames()
    span = of_ours(frames, Ids()).get_tracer("scope").start_span("a")
    span.set_status(Status(2))
    span.end()
    assert [span.status for span in frames.spans()] == [0]


def test_what_the_caller_changes_afterwards_is_not_recorded():
    frames = Frames()
    tracer = of_ours(frames, Ids()).get_tracer("scope")
    given_attributes = {"a": 1}
    span = tracer.start_span("s", attributes=given_attributes)
    span.add_event("e", given_attributes)
    given_attributes["a"] = 2
    span.end()
    (written,) = frames.spans()
    assert written.attributes == {"a": 1}
    assert written.events[0].attributes == {"a": 1}


def test_the_configurator_and_the_sdks_own_metrics_make_spans_the_sdks(monkeypatch):
    provider = of_ours(Frames(), Ids())
    tracer = provider.get_tracer("scope")
    assert tracer.start_span("a").is_recording()
    provider._set_tracer_configurator(tracer_configurator=_disable_tracer_configurator)
    assert not tracer.start_span("a").is_recording()
    monkeypatch.setenv("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "true")
    assert not isinstance(of_ours(Frames(), Ids()).get_tracer("scope").start_span("a"), JournalSpan)


def test_a_child_of_a_fork_ends_what_its_parent_began():
    frames = Frames()
    span = of_ours(frames, Ids()).get_tracer("scope").start_span("a")
    pid = os.fork()
    if pid == 0:
        span.end()
        os._exit(len(frames.spans()))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
    assert span.is_recording()


@pytest.mark.filterwarnings("ignore:You should use instrumentation_scope")
def test_nothing_of_the_sdks_span_is_left_that_ours_does_not_have():
    """A new method or property after an upgrade is made here first."""
    methods = {name for name in (*vars(SdkSpan), *vars(trace.Span)) if not name.startswith("_")} - {"start"}
    assert methods <= {*vars(JournalSpan), *vars(ReadSpan)}, "it has nothing of the SDK's state to work on"
    span = of_ours(Frames(), Ids()).get_tracer("scope").start_span("a")
    for name, part in vars(ReadableSpan).items():
        if isinstance(part, property):
            assert getattr(span, name) == getattr(span.readable(), name) or name in {"events", "links"}


def test_a_disabled_sdk_gives_no_spans(monkeypatch):
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert not of_ours(Frames(), Ids()).get_tracer("scope").start_span("a").is_recording()
