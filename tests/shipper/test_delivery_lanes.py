"""A record that fails the server, or a server that fails all, from the journal on the disk to a socket."""

from __future__ import annotations

import json
from functools import partial
from threading import Thread

import pytest

from synapse_otel.journal import frames
from synapse_otel.journal.account import account_of
from synapse_otel.journal.cursor import read_cursor
from synapse_otel.journal.folder import QUARANTINE_FILE
from synapse_otel.journal.frames import Kind
from synapse_otel.otlp.backoff import Backoff
from synapse_otel.otlp.destination import Destination, Endpoint
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper import delivery_thread
from synapse_otel.shipper.pipelines import base as pipeline
from synapse_otel.shipper.pipelines import outbox, signal_sender
from synapse_otel.shipper.pipelines import poison_records as suspects
from tests.eventually import eventually
from tests.shipping import shipper_of
from tests.sink import ACCEPT, Answer, body

pytestmark = pytest.mark.once

MILLISECOND = 1_000_000


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """A first failure is enough to take a request apart; what waits for more, or for another try, waits for less."""
    monkeypatch.setattr(outbox, "FAILURES", 1)
    monkeypatch.setattr(pipeline, "AGE_SECONDS", 0.1)
    monkeypatch.setattr(signal_sender, "Backoff", partial(Backoff, first_seconds=0.1))


@pytest.fixture
def destination(sink):
    return Destination(**{name: Endpoint(url=f"{sink.url}/v1/{name}") for name in ("logs", "metrics", "traces")})


@pytest.fixture
def run(tmp_path, destination):
    """Starts a shipper; the one before stops, as if it were killed between two requests."""
    running = []

    def stop():
        for started, thread in running:
            started.stop_soon()
            thread.join()
        running.clear()

    def start():
        stop()
        started = shipper_of([tmp_path], destination, "key", interval_seconds=0.2, say=print)
        thread = Thread(target=started.run, kwargs={"idle_seconds": None})
        thread.start()
        running.append((started, thread))

    yield start
    stop()


def log(journal, text):
    journal.append(Kind.LOG, Signal.LOGS, frames.encode([1, 9, "INFO", None, text, {}, b"", 0]))


def bodies_of(request):
    return [
        body(record)
        for resource in getattr(request.message, "resource_logs", ())
        for scope in resource.scope_logs
        for record in scope.log_records
    ]


def refuse_poison(request):
    return Answer(500, b"boom", {"Content-Type": "text/plain"}) if "poison" in bodies_of(request) else ACCEPT


def bodies(sink):
    return [body(record) for record in sink.logs()]


def test_the_others_go_on_while_it_waits_and_nothing_is_lost_when_the_shipper_restarts(sink, journal, run, tmp_path):
    sink.answer = refuse_poison
    before = [f"before {number}" for number in range(5)]
    for text in (*before, "poison", "behind"):
        log(journal, text)
    run()
    sink.wait(lambda: "behind" in bodies(sink), within=30)
    log(journal, "later")
    sink.wait(lambda: "later" in bodies(sink), within=30)
    cursor = eventually(lambda: (found := read_cursor(journal.folder, Signal.LOGS)).failure and found)
    assert (cursor.sequence, cursor.delivered) == (0, 0), "the cursor does not pass what was not accepted"
    assert "waits to be sent alone: answered 500: boom" in cursor.failure
    assert account_of([journal.folder], 8).pending == 8
    sink.answer = lambda _request: ACCEPT
    run()
    journal.close()
    cursor = eventually(lambda: (found := read_cursor(journal.folder, Signal.LOGS)).complete and found)
    assert (cursor.delivered, cursor.dropped) == (8, {})
    assert set(bodies(sink)) == {*before, "poison", "behind", "later"}


def test_it_ends_in_quarantine_counted_when_others_were_accepted_often_enough(sink, journal, run, monkeypatch):
    monkeypatch.setattr(suspects, "LEAST_SECONDS", 0.5)
    monkeypatch.setattr(suspects, "FIRST_WAIT_SECONDS", 0.05)
    monkeypatch.setattr(suspects, "LONGEST_WAIT_SECONDS", 0.1)
    sink.answer = refuse_poison
    for text in ("first", "poison"):
        log(journal, text)
    run()
    sent = 2
    while not (journal.folder / QUARANTINE_FILE).exists():
        log(journal, f"flow {sent}")
        sent += 1
        sink.wait(lambda text=f"flow {sent - 1}": text in bodies(sink), within=30)
        assert sent < 100
    journal.close()
    cursor = eventually(lambda: (found := read_cursor(journal.folder, Signal.LOGS)).complete and found)
    assert cursor.dropped == {"fails the server, in quarantine": 1}
    assert cursor.delivered == sent - 1
    assert len(bodies(sink)) == sent - 1, "each once"
    [entry] = [json.loads(line) for line in (journal.folder / QUARANTINE_FILE).read_text().splitlines()]
    assert entry["record"].endswith("-1")
    assert "boom" in entry["reason"]


def test_samples_that_come_while_one_waits_are_all_sent(sink, journal, run):
    def is_bad(request):
        points = [
            point.as_double
            for resource in getattr(request.message, "resource_metrics", ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == "g"
            for point in metric.gauge.data_points
        ]
        return 1.0 in points

    sink.answer = lambda request: Answer(500) if is_bad(request) else ACCEPT
    journal.define("scope", Kind.SCOPE, frames.encode([0, "a"]))
    journal.define("series", Kind.SERIES, frames.encode([1, 0, "gauge", "g", "", "", {}]))

    def sample(number, value=None):
        values = [1.0, float(number) if value is None else value]
        journal.append(Kind.SAMPLES, Signal.METRICS, frames.encode([number * 10 * MILLISECOND, values]), 1)

    for number in (0, 1, 2):
        sample(number)
    run()
    for number in range(3, 6):
        sink.wait(lambda number=number: sink.last("g") == number - 1, within=30)
        sample(number)
    for _ in range(950):  # more than there are milliseconds for: the last ones are merged
        sample(6)
    sink.wait(lambda: sum(point.value == 6 for point in sink.points("g")) >= 900, within=30)
    sample(6, value=7.0)
    sink.wait(lambda: any(point.value == 7 for point in sink.points("g")), within=30)
    sink.answer = lambda _request: ACCEPT
    journal.close()
    cursor = eventually(lambda: (found := read_cursor(journal.folder, Signal.METRICS)).complete and found, within=20)
    arrived = sink.points("g")
    assert {point.value for point in arrived} == {0, 1, 2, 3, 4, 5, 6, 7}
    assert len(arrived) + cursor.dropped["merged into a newer sample"] == 957


def test_a_journal_that_ended_in_an_outage_is_complete_as_soon_as_the_server_is_back(
    out_of_sight, sink, journal, run, monkeypatch
):
    monkeypatch.setattr(delivery_thread, "_QUIET_SECONDS", 0.1)
    sink.answer = lambda _request: Answer(503)
    log(journal, "read before the end")
    run()
    sink.wait(lambda: sink.requests)
    journal.abandon()
    tried = len(sink.requests)
    sink.wait(lambda: len(sink.requests) > tried + 1)
    sink.answer = lambda _request: ACCEPT
    eventually(lambda: read_cursor(journal.folder, Signal.LOGS).complete)
