"""What the shipper says of itself: exact numbers, which go on over restarts, and never in the way of a job's data."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time

import pytest

from synapse_otel import semconv
from synapse_otel.journal import frames
from synapse_otel.journal.account import account_of
from synapse_otel.journal.creation import create_journal
from synapse_otel.journal.cursor import read_cursor
from synapse_otel.journal.folder import read_run, run_folders
from synapse_otel.journal.frames import Kind
from synapse_otel.otlp.destination import Destination, Endpoint
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper.self_telemetry import QueueAge
from tests.shipping import shipper_of
from tests.sink import ACCEPT, Answer, partial

NAMES = {metric.name for metric in semconv.SELF_METRICS}


class Run:
    """A journal with records of every signal, delivered by a shipper that begins anew each time."""

    def __init__(self, root, sink):
        self.writer, _ = create_journal(root, "run", {"run": "1"}, destination="key", budget=1 << 26)
        self.sink = sink
        self.writer.define("scope", Kind.SCOPE, frames.encode([0, "a"]))
        self.writer.define("series", Kind.SERIES, frames.encode([1, 0, "gauge", "g", "", "", {}]))

    def record(self, *, logs=0, samples=0, spans=0):
        for _ in range(logs):
            self.writer.append(Kind.LOG, Signal.LOGS, frames.encode([1, 9, "INFO", None, "body", {}, b"", 0]))
        for number in range(samples):
            self.writer.append(Kind.SAMPLES, Signal.METRICS, frames.encode([number * 10**7, [1.0, 1.0]]), 1)
        for number in range(spans):
            span = [b"t" * 16, b"%8d" % number, b"", 1, "", "span", 1, 1, 2, {}, 0]
            self.writer.append(Kind.SPAN, Signal.TRACES, frames.encode(span))

    def deliver(self):
        names = {signal.name.lower(): Endpoint(url=f"{self.sink.url}/v1/{signal.name.lower()}") for signal in Signal}
        shipper = shipper_of([], Destination(**names), "key")
        try:
            assert shipper.deliver_once(self.writer.folder)
        finally:
            shipper.stop()

    def told(self, name):
        """Return the last value of each series of a metric, by its attributes."""
        return {tuple(point.attributes.values()): point.value for point in self.sink.points(name)}


@pytest.fixture
def run(tmp_path, sink):
    made = Run(tmp_path / "root", sink)
    yield made
    made.writer.close()


def test_the_last_account_is_exact(run):
    run.record(logs=7, samples=5, spans=3)
    run.writer.close()
    run.deliver()
    assert run.told("synapse.shipper.emitted") == {("logs",): 7, ("metrics",): 5, ("traces",): 3}
    assert run.told("synapse.shipper.pending") == {("logs",): 0, ("metrics",): 0, ("traces",): 0}
    assert run.told("synapse.shipper.retries") == {("logs",): 0, ("metrics",): 0, ("traces",): 0}
    assert run.told("synapse.shipper.queue.age") == {("logs",): 0, ("metrics",): 0, ("traces",): 0}
    exporter = "otlp_http_exporter"
    assert run.told("otel.sdk.log.created") == {(): 7}
    assert run.told("otel.sdk.exporter.log.exported") == {(exporter, f"{exporter}/logs"): 7}
    assert run.told("otel.sdk.exporter.metric_data_point.exported") == {(exporter, f"{exporter}/metrics"): 5}
    assert run.told("otel.sdk.exporter.span.exported") == {(exporter, f"{exporter}/traces"): 3}
    assert run.told("otel.sdk.processor.log.queue.size") == {("synapse_journal", "synapse_journal/logs"): 0}
    [(count, seconds)] = [
        value for key, value in run.told("otel.sdk.exporter.operation.duration").items() if key[1].endswith("logs")
    ]
    assert count == 1
    assert 0 < seconds < 60
    sizes = {request.path: request.size for request in run.sink.requests}
    assert run.told("synapse.shipper.sent")["logs",] == sizes["/v1/logs"]
    assert run.told("synapse.shipper.sent")["traces",] == sizes["/v1/traces"]


def test_every_metric_that_is_told_is_defined_and_each_is_told(run):
    run.record(logs=1, samples=1, spans=1)
    run.writer.close()
    run.deliver()
    scopes = [
        scope
        for request in run.sink.accepted("/v1/metrics")
        for resource in request.message.resource_metrics
        for scope in resource.scope_metrics
    ]
    own = [scope for scope in scopes if scope.scope.name == "synapse_otel.shipper"]
    assert {metric.name for scope in own for metric in scope.metrics} == NAMES
    assert not NAMES & {metric.name for scope in scopes if scope not in own for metric in scope.metrics}
    defined = {metric.name: metric for metric in semconv.SELF_METRICS}
    for point in run.sink.points():
        if point.name in defined:
            assert set(point.attributes) <= set(defined[point.name].attributes)
            assert point.resource == {"run": "1"}


def test_it_counts_as_no_record(run):
    run.record(samples=2)
    run.writer.close()
    run.deliver()
    cursor = read_cursor(run.writer.folder, Signal.METRICS)
    assert (cursor.sequence, cursor.delivered, cursor.dropped) == (2, 2, {})
    assert cursor.attempts == 1, "no request of its own"


def test_what_is_dropped_is_told_by_reason(run):
    run.sink.answer = lambda request: partial(request.path, 2) if request.path == "/v1/logs" else ACCEPT
    run.record(logs=5)
    run.writer.append(Kind.LOG, Signal.LOGS, b"\xc1")
    run.writer.close()
    run.deliver()
    told = {key[2:]: value for key, value in run.told("otel.sdk.exporter.log.exported").items()}
    assert told == {(): 3, ("rejected",): 2, ("unreadable",): 1}
    assert run.told("synapse.shipper.emitted")["logs",] == sum(told.values())


def test_it_goes_on_where_another_shipper_left_off(run):
    run.sink.answer = lambda request: Answer(503) if request.path == "/v1/logs" else ACCEPT
    run.record(logs=3, samples=1)
    run.deliver()
    run.sink.answer = lambda _request: ACCEPT
    run.deliver()
    run.record(logs=4, samples=1)
    run.writer.close()
    run.deliver()
    assert run.told("synapse.shipper.emitted")["logs",] == 7
    assert run.told("synapse.shipper.retries") == {("logs",): 1, ("metrics",): 0, ("traces",): 0}
    account = account_of([run.writer.folder], 9)
    assert (account.retries, account.requests[Signal.LOGS].attempts) == (1, 3)
    assert account.size == sum(request.size for request in run.sink.requests if request.answer is ACCEPT)
    for metric in semconv.SELF_METRICS:
        if metric.instrument == "counter":
            series = {}
            for point in run.sink.points(metric.name):
                series.setdefault(tuple(point.attributes.items()), []).append(point)
            for points in series.values():
                assert len({point.start for point in points}) == 1
                assert all(one.value <= next_.value for one, next_ in itertools.pairwise(points))
                assert all(one.time < next_.time for one, next_ in itertools.pairwise(points))


def test_pending_records_and_their_age_are_told_while_they_wait(run):
    run.sink.answer = lambda request: Answer(503) if request.path == "/v1/logs" else ACCEPT
    run.record(logs=3, samples=1)
    run.writer.close()
    run.deliver()
    assert run.told("synapse.shipper.pending")["logs",] == 3
    assert run.told("otel.sdk.processor.log.queue.size") == {("synapse_journal", "synapse_journal/logs"): 3}


def test_the_age_is_that_of_the_oldest_record_that_waits():
    now = 0.0
    age = QueueAge(lambda: now)
    assert age.seconds(0, 0) == 0
    assert age.seconds(5, 0) == 0, "seen just now"
    now = 10.0
    assert age.seconds(9, 0) == 10
    assert age.seconds(9, 4) == 10, "the fifth was there then"
    assert age.seconds(9, 5) == 0
    now = 15.0
    assert age.seconds(9, 5) == 5
    assert age.seconds(9, 9) == 0


# --- a real Prometheus -----------------------------------------------------------------------------------

JOB = """
import synapse_otel
from synapse_otel.loggers import NoOpLogger

with synapse_otel.job("train", plugin="self-telemetry", logger=NoOpLogger()) as ctx:
    for number in range(10):
        ctx.log_message(f"message {number}")
        ctx.set_metrics({"loss": 1.0 / (number + 1)})
"""


@pytest.mark.stack
def test_a_real_prometheus_has_the_account_of_a_job(stack, tmp_path):
    from tools.stack.polling import eventually
    from tools.stack.query import prometheus_series

    root = tmp_path / "journals"
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": stack.otlp_http, "SYNAPSE_OTEL_JOURNAL_DIR": str(root)}
    subprocess.run([sys.executable, "-c", JOB], env=os.environ | variables, check=True)
    [folder] = run_folders(root)
    journal = read_run(folder).journal
    cursors = eventually(lambda: complete_cursors(folder))

    def last(name, **labels):
        matchers = "".join(f',{key}="{value}"' for key, value in labels.items())
        selector = f'{name}{{instance="{journal}"{matchers}}}'
        found = prometheus_series(stack.prometheus, selector, time.time() - 600, time.time() + 60)
        return [series.samples[-1].value for series in found]

    assert eventually(lambda: last("otel_sdk_log_created_total")) == [12]
    for signal, name in ((Signal.LOGS, "log"), (Signal.METRICS, "metric_data_point"), (Signal.TRACES, "span")):
        emitted = cursors[signal].sequence
        assert last("synapse_shipper_emitted_total", synapse_signal=signal.name.lower()) == [emitted]
        assert last(f"otel_sdk_exporter_{name}_exported_total") == [emitted]
        assert last("synapse_shipper_pending", synapse_signal=signal.name.lower()) == [0]
    assert last("otel_sdk_exporter_operation_duration_seconds_count", otel_component_name="otlp_http_exporter/logs")


def complete_cursors(folder):
    found = {signal: read_cursor(folder, signal) for signal in Signal}
    return found if all(cursor.complete for cursor in found.values()) else None


def test_it_can_be_turned_off(sink, tmp_path):
    program = """
import synapse_otel
from synapse_otel.loggers import NoOpLogger
with synapse_otel.job("train", plugin="demo", logger=NoOpLogger()) as ctx:
    ctx.log_message("m")
"""
    told = {}
    for wanted in ("true", "false"):
        variables = {
            "SYNAPSE_OTEL_JOURNAL_DIR": str(tmp_path / wanted),
            "SYNAPSE_OTEL_SHIPPER": "thread",
            "SYNAPSE_OTEL_SELF_TELEMETRY": wanted,
            "OTEL_EXPORTER_OTLP_ENDPOINT": sink.url,
        }
        before = len(sink.points())
        subprocess.run([sys.executable, "-c", program], env={**os.environ, **variables}, check=True, timeout=60)
        told[wanted] = NAMES & {point.name for point in sink.points()[before:]}
    assert told["true"]
    assert not told["false"]
