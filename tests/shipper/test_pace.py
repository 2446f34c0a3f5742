"""The shipper as a thread of the job: one of its threads computes at a time, in pieces, and holds up no signal."""

from __future__ import annotations

import time
from contextlib import contextmanager
from threading import Event, Thread

import pytest

from synapse_otel.journal import frames
from synapse_otel.journal.cursor import read_cursor
from synapse_otel.journal.files.lock_holder import Role, SignOfLife
from synapse_otel.journal.frames import Kind
from synapse_otel.otlp.destination import Destination, Endpoint
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper.configuration import ShipperConfiguration
from synapse_otel.shipper.service import Shipper
from synapse_otel.shipper.throttle import AT_ONCE, LOW_MEMORY, InJobThrottle, Throttle
from tests.eventually import eventually
from tests.shipping import shipper_of
from tests.sink import ACCEPT, HANG

RECORDS = 20_000


@pytest.fixture
def shipper(sink, tmp_path):
    destination = Destination(
        **{name: Endpoint(url=f"{sink.url}/v1/{name}", timeout_seconds=4.0) for name in ("logs", "metrics", "traces")}
    )
    made = shipper_of([tmp_path], destination, "key", interval_seconds=0.2, say=print, throttle=InJobThrottle())
    thread = Thread(target=made.run, kwargs={"idle_seconds": None})
    thread.start()
    yield made
    made.stop_soon()
    thread.join()


def test_one_thread_computes_at_a_time():
    throttle = InJobThrottle(sleep=lambda _: time.sleep(0.001))
    inside, most, done = 0, 0, []

    def work():
        nonlocal inside, most
        for _ in range(20):
            with throttle.turn():
                inside += 1
                most = max(most, inside)
                time.sleep(0.0005)
                inside -= 1
                throttle.rest()
                with throttle.away():
                    time.sleep(0.0001)
        done.append(True)

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (len(done), most) == (4, 1)


def test_who_computes_for_long_lets_those_who_wait_go_first_when_it_rests():
    throttle = InJobThrottle()
    came = Event()

    def other():
        with throttle.turn():
            came.set()

    with throttle.turn():
        Thread(target=other, daemon=True).start()
        until = time.monotonic() + 30
        while not came.is_set() and time.monotonic() < until:
            throttle.rest()
        assert came.is_set()


def test_while_one_waits_for_the_network_the_others_compute():
    throttle = InJobThrottle()
    came = Event()

    def other():
        with throttle.turn():
            came.set()

    with throttle.turn():
        thread = Thread(target=other)
        thread.start()
        assert not came.wait(0.05)
        with throttle.away():
            assert came.wait(30)
    thread.join()


def test_it_sleeps_longer_while_the_job_keeps_it_from_computing():
    now, slept = [0.0], []
    job_computes = [False]

    def sleep(seconds):
        slept.append(seconds)
        now[0] += 0.005 if job_computes[0] else seconds

    throttle = InJobThrottle(clock=lambda: now[0], sleep=sleep)
    for computes in (False, False, True, True, False, False):
        job_computes[0] = computes
        now[0] += 0.001
        throttle.rest()
    free, busy = min(slept), max(slept)
    assert slept == [busy, free, free, busy, busy, free]
    now[0] += 0.0001
    throttle.rest()
    assert len(slept) == 6, "a small piece of work is no reason to rest"


def test_all_arrives_in_smaller_requests(sink, journal, shipper):
    for number in range(RECORDS):
        text = f"{number:06d} " + "x" * 90
        journal.append(Kind.LOG, Signal.LOGS, frames.encode([1, 9, "INFO", None, text, {}, b"", 0]))
    journal.close()
    eventually(lambda: read_cursor(journal.folder, Signal.LOGS).complete, within=60)
    numbers = [int(record.body.string_value.split()[0]) for record in sink.logs()]
    assert numbers == list(range(RECORDS))
    assert max(request.size for request in sink.requests) < 2 * InJobThrottle.batch_bytes


def test_a_signal_whose_server_does_not_answer_holds_up_no_other(sink, journal, shipper):
    sink.answer = lambda request: HANG if request.path == "/v1/traces" else ACCEPT
    span = frames.encode(frames.Span(b"t" * 16, b"s" * 8, b"", 1, "", "work", 1, 1, 2, {}, 0))
    journal.append(Kind.SPAN, Signal.TRACES, span)
    sink.wait(lambda: any(request.path == "/v1/traces" for request in sink.requests), within=30)
    journal.append(Kind.LOG, Signal.LOGS, frames.encode([1, 9, "INFO", None, "goes on", {}, b"", 0]))
    sink.wait(lambda: [record.body.string_value for record in sink.logs()] == ["goes on"], within=3)


@pytest.mark.parametrize(("protocol", "throttle"), [("grpc", LOW_MEMORY), ("http/protobuf", AT_ONCE)])
def test_a_process_that_has_grpc_in_its_memory_holds_less_at_a_time(tmp_path, protocol, throttle):
    endpoint = Endpoint(url="http://127.0.0.1:9", protocol=protocol)
    destination = Destination(logs=endpoint, metrics=endpoint, traces=endpoint)
    sign = SignOfLife(tmp_path / "lock", Role.PROCESS, "key")
    shipper = Shipper(
        ShipperConfiguration([str(tmp_path)], destination, "key", 1.0), print, role=Role.PROCESS, sign=sign
    )
    try:
        assert shipper.throttle is throttle
    finally:
        shipper.stop()


def test_what_an_ended_process_left_is_sent_without_a_pause_after_each_request(sink, journal, tmp_path):
    turns = []

    def arrived():
        return sum(request.path == "/v1/logs" for request in sink.requests)

    class Counting(Throttle):
        @contextmanager
        def turn(self):
            begin = arrived()
            yield
            turns.append(arrived() - begin)

    record = frames.encode([1, 9, "INFO", None, "x" * 1000, {}, b"", 0])
    for _ in range(5 * AT_ONCE.batch_bytes // 1000):
        journal.append(Kind.LOG, Signal.LOGS, record)
    journal.close()
    endpoints = {name: Endpoint(url=f"{sink.url}/v1/{name}") for name in ("logs", "metrics", "traces")}
    running = shipper_of(
        [tmp_path], Destination(**endpoints), "key", interval_seconds=0.2, say=print, throttle=Counting()
    )
    thread = Thread(target=running.run, kwargs={"idle_seconds": None})
    thread.start()
    try:
        eventually(lambda: read_cursor(journal.folder, Signal.LOGS).complete, within=30)
    finally:
        running.stop_soon()
        thread.join()
    assert max(turns) >= 5
