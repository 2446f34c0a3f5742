"""Every answer of a server, over HTTP and gRPC: what arrives, and an account that comes out even.

The journal of one real job is delivered by a shipper to a real socket, once for each case.
"""

from __future__ import annotations

import email.utils
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from synapse_otel.journal import frames
from synapse_otel.journal.creation import create_journal
from synapse_otel.journal.frames import Kind
from synapse_otel.semconv.signal import Signal
from tests.eventually import eventually
from tests.faults.delivering import PATHS, bodies, delivering, destination_of
from tests.faults.running import Place
from tests.sink import ACCEPT, Answer, Request, Sink, body, partial
from tests.sink_grpc import GrpcSink, failure

pytestmark = pytest.mark.once

MESSAGES = [f"message {number}" for number in range(8)]
EMITTED = {Signal.LOGS: len(MESSAGES) + 2, Signal.METRICS: 4, Signal.TRACES: 2}
"""The job's beginning and end are log records too; its start and end are two measurements, its duration is a third;
and its span has a marker."""
ALL = sum(EMITTED.values())

PROTOCOLS = ("http/protobuf", "grpc")
RETRY_AFTER = {"Retry-After": "1"}


@pytest.fixture(scope="module")
def job(tmp_path_factory) -> Path:
    """The journal of a job that has ended, of which nothing was sent."""
    place = Place(tmp_path_factory.mktemp("journals"), variables={"SYNAPSE_OTEL_SHIPPER": "off"})
    ended = place.run("normal", len(MESSAGES))
    assert f"pending {ALL} " in ended.err
    [folder] = place.folders()
    return folder


@pytest.fixture(params=PROTOCOLS)
def protocol(request) -> str:
    return str(request.param)


@pytest.fixture
def sink(protocol) -> Iterator[Sink]:
    with GrpcSink() if protocol == "grpc" else Sink() as running:
        yield running


class Case(NamedTuple):
    """What a server answers over each protocol, where there is such an answer."""

    http: Answer | None
    grpc: Answer | None


def text(status: int, words: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, words, {"Content-Type": "text/plain", **(headers or {})})


TEMPORARY = {
    "500": Case(text(500), failure("INTERNAL")),
    "502": Case(text(502), failure("UNKNOWN")),
    "503": Case(text(503), failure("UNAVAILABLE")),
    "504": Case(text(504), failure("DEADLINE_EXCEEDED")),
    "408": Case(text(408), failure("CANCELLED")),
    "429": Case(text(429), failure("RESOURCE_EXHAUSTED", "slow down")),
    "aborted": Case(None, failure("ABORTED")),
    "out of range": Case(None, failure("OUT_OF_RANGE")),
    "data loss": Case(None, failure("DATA_LOSS")),
    "garbage": Case(
        Answer(200, b"\x00garbage", {"Content-Type": "application/x-protobuf"}), Answer(200, b"\x00garbage")
    ),
    "a login page": Case(Answer(200, b"<html>", {"Content-Type": "text/html"}), None),
}
SETTINGS = {
    "302": Case(Answer(302, headers={"Location": "http://127.0.0.1:1/"}), None),
    "401": Case(text(401), failure("UNAUTHENTICATED")),
    "403": Case(text(403), failure("PERMISSION_DENIED")),
    "404": Case(text(404), failure("NOT_FOUND")),
    "405": Case(text(405), failure("UNIMPLEMENTED")),
    "415": Case(text(415), failure("FAILED_PRECONDITION")),
}


def every(cases: dict[str, Case]) -> Any:
    """Have a test run with each answer over each protocol that has it."""
    pairs = [(protocol, name) for name in cases for protocol in PROTOCOLS if answer_of(cases, protocol, name)]
    return pytest.mark.parametrize(("protocol", "name"), pairs, indirect=["protocol"])


def answer_of(cases: dict[str, Case], protocol: str, name: str) -> Answer | None:
    return cases[name].grpc if protocol == "grpc" else cases[name].http


def check(delivery, dropped: dict[Signal, int] | None = None) -> None:
    """Check that each signal's account comes out even, and that nothing is pending."""
    for signal, emitted in EMITTED.items():
        cursor = delivery.cursor(signal)
        lost = (dropped or {}).get(signal, 0)
        assert (cursor.delivered, sum(cursor.dropped.values()), cursor.sequence) == (emitted - lost, lost, emitted)
    account = delivery.account(ALL)
    assert account.delivered + account.pending + account.lost == ALL


def arrived_whole(sink: Sink) -> None:
    """Check that every record arrived, once, in its order."""
    assert bodies(sink)[1:-1] == MESSAGES
    assert len(sink.logs()) == EMITTED[Signal.LOGS]
    assert len(sink.points("synapse.job.metric")) == 1
    assert len({span.span_id for span in sink.spans()}) == 1


def first(answer: Answer) -> Callable[[Request], Answer]:
    """Give an answer to the first request of each signal, and accept the others."""
    seen: set[str] = set()

    def give(request: Request) -> Answer:
        is_first = request.path not in seen
        seen.add(request.path)
        return answer if is_first else ACCEPT

    return give


@every(TEMPORARY)
def test_what_will_pass_is_tried_again_until_everything_has_arrived(sink, job, tmp_path, protocol, name):
    sink.answer = first(answer_of(TEMPORARY, protocol, name))
    with delivering(job, tmp_path, destination_of(sink.url, protocol)) as delivery:
        eventually(lambda: delivery.complete, within=20)
    check(delivery)
    # A body that is no response came with status 200: the sink counts the request as accepted.
    if sink.requests[0].answer.accepts:
        assert set(bodies(sink)) > set(MESSAGES)
        assert len({uid(record) for record in sink.logs()}) == EMITTED[Signal.LOGS]
    else:
        arrived_whole(sink)
    assert [cursor.failure for cursor in delivery.cursors] == [""] * 3
    for signal in Signal:
        said = [line for line in delivery.said if line.startswith(f"{signal.name.lower()} ")]
        assert len(said) == 2, "what is wrong, and that it is over"


def uid(record: Any) -> str:
    return next(pair.value.string_value for pair in record.attributes if pair.key == "log.record.uid")


@every(SETTINGS)
def test_a_setting_that_is_wrong_keeps_everything_and_is_said_once(sink, job, tmp_path, protocol, name):
    answer = answer_of(SETTINGS, protocol, name)
    sink.answer = lambda _: answer
    with delivering(job, tmp_path, destination_of(sink.url, protocol)) as delivery:
        eventually(lambda: all(cursor.attempts >= 2 for cursor in delivery.cursors), within=20)
        account = delivery.account(ALL)
        assert (account.delivered, account.pending, account.lost) == (0, ALL, 0)
        assert sink.logs() == []
        for signal in Signal:
            assert len([line for line in delivery.said if line.startswith(f"{signal.name.lower()} wait: ")]) == 1
        sink.answer = lambda _: ACCEPT
        eventually(lambda: delivery.complete, within=20)
    check(delivery)
    arrived_whole(sink)


@pytest.mark.parametrize(
    ("protocol", "asked"),
    [("http/protobuf", "seconds"), ("http/protobuf", "date"), ("grpc", "seconds")],
    indirect=["protocol"],
)
def test_a_server_that_asks_to_be_left_alone_is(sink, job, tmp_path, protocol, asked):
    times: list[float] = []

    def answer(request: Request) -> Answer:
        if request.path != "/v1/logs":
            return ACCEPT
        times.append(time.monotonic())
        if len(times) > 1:
            return ACCEPT
        if protocol == "grpc":
            return failure("RESOURCE_EXHAUSTED", "later", 1.5)
        value = "2" if asked == "seconds" else email.utils.formatdate(time.time() + 3, usegmt=True)
        return text(429, b"later", {"Retry-After": value})

    sink.answer = answer
    with delivering(job, tmp_path, destination_of(sink.url, protocol)) as delivery:
        eventually(lambda: delivery.complete, within=20)
    check(delivery)
    arrived_whole(sink)
    assert times[1] - times[0] >= 1.5


def test_what_is_too_large_is_split(sink, job, tmp_path, protocol):
    too_large = failure("RESOURCE_EXHAUSTED", "message larger than max") if protocol == "grpc" else text(413)
    sink.answer = lambda request: too_large if request.size > 1500 and request.path == "/v1/logs" else ACCEPT
    with delivering(job, tmp_path, destination_of(sink.url, protocol)) as delivery:
        eventually(lambda: delivery.complete)
    check(delivery)
    arrived_whole(sink)
    assert delivery.said == []


def test_a_large_record_is_not_set_aside_by_a_server_that_asks_for_patience_in_vague_words(tmp_path):
    record = [1, 9, "INFO", None, "x" * 300_000, {}, b"", 0]
    writer, _ = create_journal(tmp_path / "from", "large", {}, destination="key", budget=1 << 26)
    for _ in range(2):
        writer.append(Kind.LOG, Signal.LOGS, frames.encode(record))
    writer.close()
    asked: list[int] = []

    def answer(request: Request) -> Answer:
        asked.append(request.size)
        return failure("RESOURCE_EXHAUSTED", "quota") if len(asked) <= 3 else ACCEPT

    with GrpcSink(answer) as sink:
        with delivering(writer.folder, tmp_path / "to", destination_of(sink.url, "grpc")) as delivery:
            eventually(lambda: delivery.cursor(Signal.LOGS).complete, within=30)
        assert (delivery.cursor(Signal.LOGS).delivered, delivery.cursor(Signal.LOGS).dropped) == (2, {})
        assert len(sink.logs()) == 2
    assert asked[0] > 600_000 > 2 * asked[1] - 1000, "it is split"


def holds(request: Request, message: str) -> bool:
    return any(
        body(record) == message
        for resource in getattr(request.message, "resource_logs", [])
        for scope in resource.scope_logs
        for record in scope.log_records
    )


INVALID = {
    "400": Case(text(400, b"I do not like it"), failure("INVALID_ARGUMENT", "I do not like it")),
    "422": Case(text(422, b"I do not like it"), None),
    "409": Case(None, failure("ALREADY_EXISTS", "I do not like it")),
}


@every(INVALID)
def test_a_record_that_is_invalid_is_alone_in_quarantine(sink, job, tmp_path, protocol, name):
    answer = answer_of(INVALID, protocol, name)
    sink.answer = lambda request: answer if holds(request, "message 3") else ACCEPT
    with delivering(job, tmp_path, destination_of(sink.url, protocol)) as delivery:
        eventually(lambda: delivery.complete, within=20)
    check(delivery, {Signal.LOGS: 1})
    assert sorted([*bodies(sink)[1:-1], "message 3"]) == MESSAGES
    assert len([line for line in delivery.said if "in quarantine" in line and "I do not like it" in line]) == 1


@pytest.mark.parametrize(("signal", "rejected"), [(signal, rejected) for signal in Signal for rejected in (0, 1)])
def test_what_a_server_rejects_is_dropped_and_counted(sink, job, tmp_path, protocol, signal, rejected):  # noqa: PLR0917
    seen: list[str] = []

    def answer(request: Request) -> Answer:
        is_chosen = request.path == PATHS[signal] and not seen
        if is_chosen:
            seen.append(request.path)
        return partial(request.path, rejected, "a word") if is_chosen else ACCEPT

    sink.answer = answer
    with delivering(job, tmp_path, destination_of(sink.url, protocol)) as delivery:
        eventually(lambda: delivery.complete)
    check(delivery, {signal: rejected})
    assert delivery.cursor(signal).warnings == ["a word"]
    assert delivery.cursor(signal).dropped == ({"rejected by the server": 1} if rejected else {})


def test_an_empty_partial_success_is_a_success(sink, job, tmp_path, protocol):
    sink.answer = lambda request: partial(request.path, 0)
    with delivering(job, tmp_path, destination_of(sink.url, protocol)) as delivery:
        eventually(lambda: delivery.complete)
    check(delivery)
    arrived_whole(sink)
    assert all(cursor.warnings == [] for cursor in delivery.cursors)
