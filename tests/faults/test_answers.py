"""What the server answers, and what becomes of the records: emitted = delivered + pending + dropped, always."""

from __future__ import annotations

import json
import time

import pytest

from synapse_otel.journal.account import account_of
from synapse_otel.journal.creation import create_journal
from synapse_otel.journal.cursor import read_cursor
from synapse_otel.journal.folder import QUARANTINE_FILE
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper.configuration import log_path
from tests.eventually import eventually
from tests.sink import ACCEPT, Answer, attributes, body

pytestmark = pytest.mark.once

MESSAGES = [f"message {number}" for number in range(8)]
LOGS = len(MESSAGES) + 2
"""With the job's beginning and end."""


@pytest.fixture
def job(place):
    """A job that has ended and of which nothing was sent; its shipper is started by the test."""
    place.variables["SYNAPSE_OTEL_SHIPPER"] = "off"
    assert place.run("normal", len(MESSAGES)).code == 0
    [folder] = place.folders()
    return folder


def cursors(folder):
    return {signal: read_cursor(folder, signal) for signal in Signal}


def complete(folder):
    return all(cursor.complete for cursor in cursors(folder).values())


def bodies(sink):
    return [body(record) for record in sink.logs()]


def log_text(place):
    return log_path(place.root, place.configuration().key).read_text()


def check(folder, signal, *, delivered, dropped):
    cursor = read_cursor(folder, signal)
    assert (cursor.delivered, sum(cursor.dropped.values())) == (delivered, dropped)
    assert cursor.sequence == delivered + dropped


def test_503_and_then_accepted(sink, place, job):
    sink.answer = lambda request: Answer(503) if len(sink.requests) < 6 else ACCEPT
    place.start_shipper()
    eventually(lambda: complete(job), within=20)
    assert sorted(bodies(sink)[1:-1]) == MESSAGES
    check(job, Signal.LOGS, delivered=LOGS, dropped=0)
    assert read_cursor(job, Signal.LOGS).failure == ""
    assert "answered 503" in log_text(place)
    assert "logs are delivered again" in log_text(place)


def test_retry_after_is_honoured(sink, place, job):
    refused = []

    def answer(request):
        if request.path == "/v1/logs" and not refused:
            refused.append(time.monotonic())
            return Answer(429, headers={"Retry-After": "2"})
        return ACCEPT

    sink.answer = answer
    place.start_shipper()
    eventually(lambda: complete(job), within=20)
    [_, second] = [request for request in sink.requests if request.path == "/v1/logs"]
    assert second.time - refused[0] >= 2
    check(job, Signal.LOGS, delivered=LOGS, dropped=0)


def test_a_job_that_ends_does_not_hurry_a_server_that_asked_to_be_left_alone(sink, place):
    sink.answer = lambda request: Answer(429, headers={"Retry-After": "600"})
    place.start_shipper()
    process = place.start("waiting")
    process.stdout.readline()
    sink.wait(lambda: any(request.path == "/v1/logs" for request in sink.requests))
    _, err = process.communicate("")
    assert len([request for request in sink.requests if request.path == "/v1/logs"]) == 1
    assert "answered 429" in err


def test_a_record_that_is_invalid_goes_to_quarantine_alone(sink, place, job):
    def answer(request):
        bad = any(
            body(record) == "message 3"
            for resource in getattr(request.message, "resource_logs", [])
            for scope in resource.scope_logs
            for record in scope.log_records
        )
        return Answer(400, b"I do not like it", {"Content-Type": "text/plain"}) if bad else ACCEPT

    sink.answer = answer
    place.start_shipper()
    eventually(lambda: complete(job))
    assert sorted(bodies(sink)[1:-1]) == [message for message in MESSAGES if message != "message 3"]
    check(job, Signal.LOGS, delivered=LOGS - 1, dropped=1)
    [entry] = [json.loads(line) for line in (job / QUARANTINE_FILE).read_text().splitlines()]
    assert "I do not like it" in entry["reason"]
    assert entry["record"].count("-") == 1
    assert (job / QUARANTINE_FILE).stat().st_mode & 0o777 == 0o600
    assert "quarantine" in log_text(place)


def test_an_invalid_sample_is_found_though_every_request_of_metrics_carries_more(sink, place, job):
    def answer(request):
        bad = any(
            metric.name == "synapse.job.metric"
            for resource in getattr(request.message, "resource_metrics", [])
            for scope in resource.scope_metrics
            for metric in scope.metrics
        )
        return Answer(400, b"no", {"Content-Type": "text/plain"}) if bad else ACCEPT

    sink.answer = answer
    place.start_shipper()
    eventually(lambda: complete(job))
    cursor = read_cursor(job, Signal.METRICS)
    assert cursor.dropped == {"invalid, in quarantine": 1}
    assert cursor.delivered + 1 == cursor.sequence
    assert sink.last("synapse.job.progress.current") == 3
    assert sink.last("synapse.job.active") == 0


def test_what_is_too_large_is_split(sink, place, job):
    sink.answer = lambda request: Answer(413) if request.size > 1500 and request.path == "/v1/logs" else ACCEPT
    place.start_shipper()
    eventually(lambda: complete(job))
    assert bodies(sink)[1:-1] == MESSAGES, "in their order"
    check(job, Signal.LOGS, delivered=LOGS, dropped=0)


def test_a_refusal_keeps_everything_and_is_said_once(sink, place, job):
    sink.answer = lambda request: Answer(401)
    place.start_shipper()
    eventually(lambda: all(cursor.attempts >= 2 for cursor in cursors(job).values()))
    for cursor in cursors(job).values():
        assert (cursor.delivered, cursor.dropped, cursor.complete) == (0, {}, False)
    assert "answered 401" in read_cursor(job, Signal.LOGS).failure
    eventually(lambda: log_text(place).count("logs wait") == 1)
    account = account_of([job], 100)
    assert account.pending == 100
    sink.answer = lambda request: ACCEPT
    eventually(lambda: complete(job), within=20)
    check(job, Signal.LOGS, delivered=LOGS, dropped=0)


def test_one_signal_that_is_down_holds_up_no_other(sink, place, job):
    sink.answer = lambda request: Answer(503) if request.path == "/v1/metrics" else ACCEPT
    place.start_shipper()
    eventually(lambda: read_cursor(job, Signal.LOGS).complete and read_cursor(job, Signal.TRACES).complete)
    assert not read_cursor(job, Signal.METRICS).complete
    assert sorted(bodies(sink)[1:-1]) == MESSAGES
    assert attributes(sink.spans()[0])["synapse.job.result"] == "success"
    sink.answer = lambda request: ACCEPT
    eventually(lambda: complete(job), within=20)
    assert sink.last("synapse.job.active") == 0


def test_a_cursor_that_cannot_be_written_has_nothing_sent_twice(sink, place, job):
    (job / "cursor-logs.json").mkdir()
    place.start_shipper()
    eventually(lambda: read_cursor(job, Signal.TRACES).complete and read_cursor(job, Signal.METRICS).complete)
    sink.wait(lambda: len(sink.logs()) == LOGS)
    place.variables.clear()
    assert place.run("normal", 2).code == 0
    assert bodies(sink).count("message 7") == 1


def test_a_journal_that_cannot_be_read_holds_up_no_other_and_does_not_spin(sink, place, job):
    segment = job / "00000001.segment"
    segment.unlink()
    segment.mkdir()
    place.start_shipper()
    place.variables.clear()
    assert place.run("normal", 2).code == 0
    assert {"message 0", "message 1"} <= set(bodies(sink))
    assert not complete(job)
    assert log_text(place).count("IsADirectoryError") == 1


def test_a_frame_that_nothing_can_be_made_of_is_dropped_and_the_rest_delivered(sink, place):
    from synapse_otel.journal import frames
    from synapse_otel.journal.frames import Kind

    configuration = place.configuration()
    writer, _ = create_journal(place.root, "poison", {}, destination=configuration.key, budget=1 << 26)
    good = [1, 9, "INFO", None, "good", {}, b"", 0]
    writer.append(Kind.LOG, Signal.LOGS, frames.encode(good))
    writer.append(Kind.LOG, Signal.LOGS, frames.encode([1, 9, "INFO", None, "short"]))
    writer.append(Kind.LOG, Signal.LOGS, b"\xc1 no message pack")
    writer.append(Kind.LOG, Signal.LOGS, frames.encode([1, 9, "INFO", None, "bad span", {}, b"12", 0]))
    writer.append(Kind.SAMPLES, Signal.METRICS, frames.encode([1, [77.0, 1.0, 5.0]]), 2)
    writer.append(200, Signal.LOGS, b"of a newer version")
    writer.append(Kind.LOG, Signal.LOGS, frames.encode(good))
    writer.close()
    place.start_shipper()
    eventually(lambda: complete(writer.folder))
    assert [found for found in bodies(sink) if found == "good"] == ["good", "good"]
    logs, metrics = read_cursor(writer.folder, Signal.LOGS), read_cursor(writer.folder, Signal.METRICS)
    assert logs.delivered + sum(logs.dropped.values()) == 6
    assert metrics.dropped == {"unreadable": 2}
