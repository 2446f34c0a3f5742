"""Start markers of steps: held back, sent only while their steps are open, and what the account says of them."""

from __future__ import annotations

from hashlib import sha256
from math import inf
from time import time_ns

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from synapse_otel import semconv
from synapse_otel.journal.account import account_of
from synapse_otel.journal.cursor import EVICTED, read_cursor, write_cursor
from synapse_otel.journal.frames import Kind, encode
from synapse_otel.otlp.destination import Destination, Endpoint
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper.claimed_journal import ClaimedJournal
from synapse_otel.shipper.pipelines.open_spans import HOLD_SECONDS, MOST_HELD
from synapse_otel.shipper.pipelines.outbox import REJECTED
from synapse_otel.shipper.pipelines.poison_records import Tally
from synapse_otel.shipper.pipelines.traces import TracesPipeline
from synapse_otel.shipper.throttle import Throttle
from tests.eventually import eventually
from tests.mapping.recorded import Receiver
from tests.shipping import shipper_of
from tests.sink import ACCEPT, partial

SECOND = 1_000_000_000
COUNTS = ("emitted", "withheld", "pending")
LONG = HOLD_SECONDS + 1


class Steps:
    """A journal with the steps of a job, written as a job's process writes them, and a shipper of it."""

    def __init__(self, journal, sink):
        self.journal = journal
        self.sink = sink
        self.spans = {}
        journal.define("scope", Kind.SCOPE, encode([0, "a"]))

    def begin(self, name, *, ago=0.0, marked=True, **attributes):
        """Begin a step, some seconds ago, and mark it."""
        span = self._span(name, time_ns() - int(ago * SECOND), {semconv.STEP_ORDER: 1, **attributes})
        self.spans[name] = span
        self._open(span)
        if marked:
            marker = self.marker(span)
            self._open(marker)
            self._close(marker, span[7] + 1)

    def marker(self, span):
        marker = self._span(span[5] + semconv.MARKER_SUFFIX, span[7], {**span[9], semconv.SPAN_MARKER: True})
        marker[2] = span[1]
        return marker

    def begin_job(self, **options):
        self.begin("job", **options, **{semconv.ACTION: "train"})

    def end(self, *names):
        for name in names:
            self._close(self.spans[name], time_ns())

    def deliver(self):
        """Deliver what there is, as a shipper that begins anew."""
        names = {signal.name.lower(): Endpoint(url=f"{self.sink.url}/v1/{signal.name.lower()}") for signal in Signal}
        shipper = shipper_of([], Destination(**names), "key")
        try:
            assert shipper.deliver_once(self.journal.folder)
        finally:
            shipper.stop()

    @property
    def arrived(self):
        return [span.name for span in self.sink.spans(markers=True)]

    @property
    def cursor(self):
        return read_cursor(self.journal.folder, Signal.TRACES)

    @property
    def account(self):
        return account_of([self.journal.folder], sum(self.journal.sequences))

    def _span(self, name, start, attributes):
        return [b"t" * 16, sha256(name.encode()).digest()[:8], b"parent  ", 1, "", name, 1, start, 0, attributes, 0]

    def _open(self, span):
        self.journal.define(("span", span[1]), Kind.SPAN_OPEN, encode(span))

    def _close(self, span, end):
        self.journal.forget(("span", span[1]))
        self.journal.append(Kind.SPAN, Signal.TRACES, encode([*span[:8], end, *span[9:]]))


def spans_of(requests):
    """Return the names of the spans in requests."""
    resources = [resource for request in requests for resource in request.resource_spans]
    return [span.name for resource in resources for scope in resource.scope_spans for span in scope.spans]


@pytest.fixture
def steps(journal, sink):
    return Steps(journal, sink)


# --- which ones are sent ------------------------------------------------------------------------------


def test_a_job_of_short_steps_has_one_marker(steps):
    steps.begin_job()
    for name in ("load", "train"):
        steps.begin(name)
        steps.end(name)
    steps.end("job")
    steps.journal.close()
    steps.deliver()
    assert steps.arrived == ["job (started)", "load", "train", "job"]


def test_a_jobs_marker_is_sent_at_once(steps):
    steps.begin_job()
    steps.begin("load")
    steps.deliver()
    assert steps.arrived == ["job (started)"]


def test_a_marker_is_sent_once_while_its_step_is_open_for_long(steps):
    steps.begin("train", ago=LONG)
    steps.deliver()
    steps.deliver()
    assert steps.arrived == ["train (started)"]
    steps.end("train")
    steps.journal.close()
    steps.deliver()
    assert steps.arrived == ["train (started)", "train"]
    assert (steps.cursor.delivered, steps.cursor.withheld) == (2, 0)


def test_a_long_step_that_has_ended_needs_no_marker_though_its_end_is_read_later(steps):
    class Bits(Throttle):
        batch_bytes = 1
        read_bytes = 1

    receiver = Receiver(ExportTraceServiceRequest)
    pipeline = TracesPipeline(steps.journal.folder)
    pipeline.throttle = Bits()
    steps.begin("first")
    steps.end("first")
    while "first" not in spans_of(receiver.requests):
        pipeline.step(receiver, ended=False)
    pipeline.step(receiver, ended=False)  # which finds no more
    steps.begin("load", ago=LONG)
    steps.begin("large", marked=False, text="large " * 10_000)
    steps.end("large", "load")
    while "load" not in spans_of(receiver.requests):
        pipeline.step(receiver, ended=False)
    pipeline.close()
    assert spans_of(receiver.requests) == ["first", "large", "load"]
    assert len(receiver.requests) == 3, "the step's end was not read with its marker"
    assert steps.cursor.withheld == 2


def test_a_worker_is_marked_as_a_step_is(steps):
    steps.begin("worker", **{semconv.STEP_PHASE: semconv.PHASE_WORKER})
    steps.deliver()
    assert steps.arrived == []
    steps.begin("long", ago=LONG, **{semconv.STEP_PHASE: semconv.PHASE_WORKER})
    steps.deliver()
    assert steps.arrived == ["long (started)"]


def test_the_clock_that_was_set_back_holds_none_for_longer(steps):
    pipeline = TracesPipeline(steps.journal.folder)
    assert pipeline.due_in_seconds() == inf
    steps.begin("train", ago=-3_600)
    steps.begin("older", ago=HOLD_SECONDS / 2)
    pipeline.step(Away(), ended=False)
    assert 0 < pipeline.due_in_seconds() <= HOLD_SECONDS / 2
    steps.end("older")
    pipeline.step(Away(), ended=False)
    assert HOLD_SECONDS / 2 < pipeline.due_in_seconds() <= HOLD_SECONDS
    pipeline.close()


def test_too_many_at_a_time_are_sent_early_the_oldest_first(steps):
    names = [f"s{number}" for number in range(MOST_HELD + 2)]
    for name in names:
        steps.begin(name)
    steps.deliver()
    assert steps.arrived == ["s0 (started)", "s1 (started)"]
    steps.end(*names)
    steps.journal.close()
    steps.deliver()
    assert steps.arrived[2:] == names
    assert (steps.cursor.delivered, steps.cursor.withheld) == (2 * len(names), MOST_HELD)


# --- ends ---------------------------------------------------------------------------------------------


def test_a_killed_job_needs_no_marker_of_its_step(out_of_sight, steps):
    steps.begin_job()
    steps.begin("load")
    steps.deliver()
    steps.journal.abandon()
    steps.deliver()
    assert steps.arrived == ["job (started)", "load", "job"]
    assert [span.status.code for span in steps.sink.spans()] == [2, 2]
    assert (steps.cursor.complete, steps.cursor.delivered, steps.cursor.withheld) == (True, 2, 1)
    assert (steps.account.pending, steps.account.lost) == (0, 0)


def test_a_marker_in_whose_making_the_job_was_killed_is_not_sent_as_a_killed_span(out_of_sight, steps):
    steps.begin("load", marked=False)
    steps._open(steps.marker(steps.spans["load"]))
    steps.journal.abandon()
    steps.deliver()
    assert steps.arrived == ["load"]


def test_a_step_that_is_left_open_by_a_closed_journal_is_shown_by_its_marker(steps):
    steps.begin("load")
    steps.journal.close()
    steps.deliver()
    assert steps.arrived == ["load (started)"]
    assert (steps.cursor.complete, steps.cursor.delivered, steps.cursor.withheld) == (True, 1, 0)


# --- other shippers -----------------------------------------------------------------------------------


def test_a_shipper_that_takes_over_goes_on_holding_it(steps):
    """The first one was killed when its cursor had passed the marker."""
    steps.begin("short", ago=HOLD_SECONDS - 1)
    steps.begin("long", ago=HOLD_SECONDS - 1)
    steps.deliver()
    assert (steps.arrived, steps.cursor.sequence) == ([], 2)
    steps.end("short")
    eventually(lambda: [steps.deliver()] and "long (started)" in steps.arrived, within=HOLD_SECONDS)
    assert steps.arrived == ["short", "long (started)"]
    assert steps.cursor.state == {}


def test_a_shipper_that_was_killed_before_its_cursor_was_written_loses_none(steps):
    """What it had sent comes again, at most once."""
    steps.begin("long", ago=LONG)
    before = steps.cursor
    steps.deliver()
    write_cursor(steps.journal.folder, Signal.TRACES, before)
    steps.deliver()
    steps.deliver()
    assert steps.arrived == ["long (started)"] * 2
    ids = {span.span_id for span in steps.sink.spans(markers=True)}
    assert len(ids) == 1, "a backend stores them as one"
    assert steps.cursor.delivered == 1


@pytest.mark.parametrize("state", [{"markers": 7}, {"markers": [{"step": "no base64"}]}], ids=str)
def test_a_cursor_whose_state_is_damaged_loses_the_markers_only(steps, state):
    steps.begin("load")
    steps.deliver()
    cursor = steps.cursor
    cursor.state = state
    write_cursor(steps.journal.folder, Signal.TRACES, cursor)
    steps.end("load")
    steps.journal.close()
    steps.deliver()
    assert steps.arrived == ["load"]
    assert steps.cursor.complete
    assert any("starts again" in warning for warning in steps.cursor.warnings)


# --- the account --------------------------------------------------------------------------------------


class Away:
    """A server that is away."""

    def ready(self):
        return False

    def tally(self):
        return Tally()

    def hurry(self):
        """Change nothing."""


def test_a_marker_that_is_held_keeps_nobody_waiting(steps):
    steps.begin_job()
    steps.deliver()
    steps.begin("train")
    steps.deliver()
    assert steps.arrived == ["job (started)"]
    assert steps.cursor.sequence == steps.journal.sequences[Signal.TRACES] == 2, "what waits for delivery looks at it"
    assert (steps.account.delivered, steps.account.pending, steps.account.lost) == (2, 0, 0)


def test_the_account_tells_how_many_were_not_sent(steps):
    steps.begin_job()
    steps.begin("load")
    steps.end("load", "job")
    steps.journal.close()
    steps.deliver()
    account = steps.account
    assert (account.emitted, account.delivered, account.pending, account.lost) == (4, 4, 0, 0)
    assert account.withheld == 1
    assert account.delivered - account.withheld == len(steps.arrived)
    counts = [steps.sink.last(f"synapse.shipper.{name}", synapse_signal="traces") for name in COUNTS]
    assert counts == [4, 1, 0]
    exported = {point.value for point in steps.sink.points("otel.sdk.exporter.span.exported")}
    assert exported == {3}


def test_a_marker_that_the_server_refuses_is_dropped_like_any_span(steps):
    steps.sink.answer = lambda request: partial(request.path, 1) if request.path == "/v1/traces" else ACCEPT
    steps.begin("train", ago=LONG)
    steps.deliver()
    assert (steps.cursor.delivered, steps.cursor.dropped) == (0, {REJECTED: 1})


def test_a_marker_that_is_due_waits_for_a_server_that_is_away(steps):
    pipeline = TracesPipeline(steps.journal.folder)
    steps.begin("train", ago=LONG)
    pipeline.step(Away(), ended=False)
    assert pipeline.waits
    assert steps.account.pending == 1
    pipeline.close()


def test_what_is_held_of_a_journal_that_is_given_up_is_counted_as_evicted(out_of_sight, steps):
    steps.begin_job()
    steps.begin("load")
    steps.deliver()
    assert steps.cursor.delivered == 2
    steps.journal.abandon()
    taken = ClaimedJournal.take(steps.journal.folder, interval_seconds=5)
    assert taken.abandon()
    assert (steps.cursor.complete, steps.cursor.delivered, steps.cursor.dropped) == (True, 1, {EVICTED: 1})
