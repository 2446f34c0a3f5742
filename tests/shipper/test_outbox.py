"""Delivery of a batch to servers of every kind: nothing is lost, sent again or set aside without cause."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synapse_otel.otlp.destination import Destination, Endpoint
from synapse_otel.otlp.encode.request import record_field
from synapse_otel.otlp.outcome import Accepted, Invalid, Outcome, Refused, Retry, TooLarge
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper.pipelines.outbox import INVALID, POISON, REJECTED, Outbox
from synapse_otel.shipper.pipelines.queue import Item, Run, singly
from synapse_otel.shipper.pipelines.signal_sender import SignalSender

pytestmark = pytest.mark.once

MINUTE, HOUR = 60.0, 3600.0
NOWHERE = Endpoint(url="http://127.0.0.1:1/v1/logs")
DOWN = Retry("down", status=503)


class World:
    """A server that answers by a function of the records of a request, a clock, and what came of it."""

    def __init__(self, items: int, answer: Callable[[list[int]], Outcome]) -> None:
        self.now = 0.0
        self.answer = answer
        self.requests: list[list[int]] = []
        self.arrived: list[int] = []
        self.quarantined: list[int] = []
        self.delivered = self.attempts = 0
        self.dropped: dict[str, int] = {}
        self.said: list[str] = []
        self.failure = ""
        self.emitted = 0
        destination = Destination(logs=NOWHERE, metrics=NOWHERE, traces=NOWHERE)
        self.send = SignalSender(destination, Signal.LOGS, self.said.append, clock=lambda: self.now)
        self.send._sender = Far(self)  # type: ignore[assignment]
        self.send.quarantine = self.set_aside  # type: ignore[method-assign]
        self.is_full = False
        self.outbox = Outbox(self.encode, clock=lambda: self.now)
        self.add(items)

    def set_aside(self, item: Item, _body: bytes, _reason: str) -> bool:
        if not self.is_full:
            self.quarantined.append(int(item.record))
        return not self.is_full

    @staticmethod
    def encode(items: list[Item]) -> bytes:
        return b",".join(str(int(item.record)).encode() for item in singly(items))

    def sent(self, body: bytes) -> Outcome:
        records = [int(number) for number in body.split(b",")]
        outcome = self.answer(records)
        self.requests.append(records)
        if isinstance(outcome, Accepted):
            self.arrived += records
        return outcome

    def add(self, count: int) -> None:
        """Add records: every fourth alone, those between together."""
        items: list[Item] = []
        for alone, group in groupby(range(self.emitted, self.emitted + count), lambda number: number % 4 == 0):
            bodies = [str(number).encode() for number in group]
            together = Run(0, b"".join(map(record_field, bodies)), len(bodies), "", "j", int(bodies[0]))
            items += together.singly() if alone else [together]
        self.outbox.add(items)
        self.emitted += count

    def step(self) -> None:
        result = self.outbox.deliver(self.send)
        if result is not None:
            self.delivered += result.delivered
            self.attempts += result.attempts
            self.failure = result.failure
            for reason, count in result.dropped.items():
                self.dropped[reason] = self.dropped.get(reason, 0) + count

    def check(self) -> None:
        left = [int(item.record) for item in singly(self.outbox.left)]
        assert self.delivered + sum(self.dropped.values()) + len(left) == self.emitted
        assert sorted(self.arrived + self.quarantined + left) == list(range(self.emitted)), "each is in one place"
        assert self.attempts == len(self.requests)

    def run(self, seconds: float, *, more: int = 0, every: float = 0.5) -> None:
        """Let time pass; each ``every`` seconds there are so many more records."""
        end = self.now + seconds
        while self.now < end and (more or self.outbox):
            self.add(more)
            self.step()
            self.now += every
        self.check()


class Far:
    """Stands where the HTTP sender does."""

    def __init__(self, world: World) -> None:
        self._world = world

    def send(self, body: bytes) -> Outcome:
        return self._world.sent(body)


def poisoned(bad: set[int], outcome: Outcome) -> Callable[[list[int]], Outcome]:
    return lambda records: outcome if bad.intersection(records) else Accepted()


# --- any pattern of answers ------------------------------------------------------------------------------


def outcomes(*, about_content: bool) -> st.SearchStrategy[Outcome]:
    always = [
        st.builds(Accepted, rejected=st.integers(0, 5)),
        st.just(TooLarge("large")),
        st.just(Refused("404")),
        st.builds(Retry, st.just("busy"), st.sampled_from([None, 3.0]), st.sampled_from([408, 429])),
        st.just(Retry("refused", reached=False)),
    ]
    if about_content:
        always += [
            st.just(Invalid("400")),
            st.builds(Retry, st.just("down"), st.none(), st.sampled_from([0, 500, 503])),
        ]
    return st.one_of(always)


@settings(max_examples=300, deadline=None)
@given(
    answers=st.lists(outcomes(about_content=True), max_size=80),
    batches=st.lists(st.integers(0, 9), min_size=1, max_size=4),
)
def test_whatever_is_answered_each_record_is_delivered_left_or_counted_as_dropped(answers, batches):
    script = iter(answers)
    found = World(0, lambda _records: next(script, Accepted()))
    for count in batches:
        found.add(count)
        found.run(MINUTE)
    found.run(2 * HOUR, every=2)
    assert not found.outbox, "with a server that is well again, nothing waits"
    accepted = found.delivered + found.dropped.get(REJECTED, 0)
    assert accepted + found.dropped.get(INVALID, 0) + found.dropped.get(POISON, 0) == found.emitted


@settings(max_examples=200, deadline=None)
@given(answers=st.lists(outcomes(about_content=False), max_size=60), count=st.integers(1, 40))
def test_order_is_kept_where_no_record_is_suspected(answers, count):
    script = iter(answers)
    found = World(count, lambda _records: next(script, Accepted()))
    found.run(2 * HOUR, every=2)
    assert found.arrived == sorted(found.arrived)


# --- records that fail the server ------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [{0}, {5}, {99}, {0, 1, 2}, {0, 50, 99}, set(range(0, 100, 3))], ids=str)
@pytest.mark.parametrize("status", [500, 503, 0])
def test_what_a_record_that_fails_the_server_holds_up_is_delivered(bad, status):
    found = World(100, poisoned(bad, Retry("boom", status=status)))
    found.run(30 * MINUTE)
    assert set(found.arrived) == set(range(100)) - bad
    assert not found.quarantined, "nothing more was accepted: who knows whether it is the record?"
    assert "waits to be sent alone: boom" in found.failure


def test_records_behind_it_go_on_in_their_order_when_something_before_it_was_accepted():
    found = World(1000, poisoned({700}, Retry("boom", status=500)))
    found.run(5 * MINUTE)
    assert found.delivered == 999
    assert found.arrived == sorted(found.arrived)


def test_it_is_set_aside_when_others_were_accepted_in_between_again_and_again():
    found = World(10, poisoned({4}, Retry("boom", status=500)))
    found.run(10 * MINUTE, more=3, every=1)
    assert found.quarantined == [4]
    assert found.dropped == {POISON: 1}
    assert found.delivered == found.emitted - 1
    alone = [request for request in found.requests if request == [4]]
    assert 6 <= len(alone) <= 12


def test_an_error_that_the_server_says_will_pass_is_given_an_hour():
    found = World(10, poisoned({4}, DOWN))
    found.run(55 * MINUTE, more=1, every=1)
    assert not found.quarantined
    found.run(10 * MINUTE, more=1, every=1)
    assert found.quarantined == [4]


def test_a_record_that_crashes_the_server_is_found_though_others_fail_behind_it():
    down_until = 0.0

    def answer(records):
        nonlocal down_until
        if found.now < down_until:
            return Retry("refused", reached=False)
        if 4 in records:
            down_until = found.now + 2
            return Retry("closed")
        return Accepted()

    found = World(10, answer)
    found.run(3 * HOUR, more=1, every=2)
    found.run(MINUTE)
    assert found.quarantined == [4]
    assert set(found.arrived) == set(range(found.emitted)) - {4}


# --- servers in trouble ----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 503, 0])
@pytest.mark.parametrize("hours", [0.1, 24])
def test_an_outage_sets_nothing_aside_and_everything_arrives(status, hours):
    found = World(500, lambda _records: Accepted() if found.now > hours * HOUR else Retry("down", status=status))
    found.run(hours * HOUR, every=5)
    found.run(10 * MINUTE)
    assert (found.delivered, found.dropped) == (500, {})


@pytest.mark.parametrize("minutes", [1, 2, 3, 3.5, 4, 4.5])
def test_order_outlasts_an_outage_of_some_minutes(minutes):
    found = World(50, lambda _records: Accepted() if found.now > minutes * MINUTE else DOWN)
    found.run(10 * MINUTE)
    assert found.arrived == list(range(50))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.97])
def test_a_server_that_fails_at_random_has_no_good_record_set_aside(share):
    chance = random.Random(7)
    found = World(200, lambda _records: Retry("flaky", status=500) if chance.random() < share else Accepted())
    found.run(6 * HOUR, more=1, every=10)
    assert not found.dropped
    found.answer = lambda _records: Accepted()
    found.run(5 * MINUTE)
    assert found.delivered == found.emitted


def test_a_part_of_the_server_that_is_away_for_half_an_hour_loses_no_record():
    found = World(
        0, lambda records: DOWN if found.now < HOUR / 2 and any(number % 7 == 0 for number in records) else Accepted()
    )
    found.run(HOUR / 2, more=2, every=1)
    assert not found.dropped
    found.run(5 * MINUTE)
    assert found.delivered == found.emitted


def test_a_busy_server_has_nothing_taken_apart():
    found = World(100, lambda _records: Accepted() if found.now > HOUR else Retry("busy", status=429))
    found.run(2 * HOUR, every=2)
    assert {len(request) for request in found.requests} == {100}


# --- records that the server calls invalid ---------------------------------------------------------------


def test_invalid_records_are_found_by_halving_and_the_rest_arrives_in_order():
    found = World(64, poisoned({0, 17, 63}, Invalid("no")))
    found.step()
    assert sorted(found.quarantined) == [0, 17, 63]
    assert found.arrived == [number for number in range(64) if number not in {0, 17, 63}]
    assert found.dropped == {INVALID: 3}


def test_a_server_that_calls_everything_invalid_gets_nothing_into_quarantine():
    found = World(1000, lambda _records: Invalid("what is this"))
    found.run(2 * HOUR, every=2)
    assert not found.quarantined
    assert any("rejects every record as invalid" in line for line in found.said)
    found.answer = lambda _records: Accepted()
    found.run(5 * MINUTE)
    assert found.delivered == 1000


def test_an_invalid_record_that_is_alone_waits_for_one_that_is_accepted():
    found = World(1, poisoned({0}, Invalid("no")))
    found.run(HOUR)
    assert not found.quarantined
    found.add(1)
    found.step()
    assert (found.quarantined, found.arrived) == ([0], [1])


def test_a_record_too_large_alone_is_set_aside_at_once():
    found = World(3, poisoned({1}, TooLarge("no")))
    found.step()
    assert (found.quarantined, found.arrived) == ([1], [0, 2])


# --- journals beside one another -------------------------------------------------------------------------


def test_a_journal_whose_records_fail_each_time_does_not_use_up_the_others_tries(tmp_path):
    found = World(0, poisoned(set(range(1000)), Retry("boom", status=500)))
    bad, good = Outbox(World.encode, lambda: found.now), Outbox(World.encode, lambda: found.now)
    bad.add([Item(0, number) for number in range(1000)])
    waited: list[float] = []
    for number in range(1000, 1100):
        good.add([Item(0, number)])
        begin = found.now
        while good and found.now - begin < MINUTE:
            for folder, outbox in ((tmp_path / "bad", bad), (tmp_path / "good", good)):
                found.send.folder = folder
                outbox.deliver(found.send)
            found.now += 0.05
        waited.append(found.now - begin)
    assert max(waited) < 10
    assert found.arrived == list(range(1000, 1100))


@pytest.mark.parametrize("outcome", [Invalid("what?"), TooLarge("too much"), Retry("boom", status=500)])
def test_a_record_that_the_quarantine_has_no_room_for_waits_and_the_others_go_on(outcome):
    found = World(10, poisoned({4}, outcome))
    found.is_full = True
    found.run(20 * MINUTE, more=1, every=1)
    assert not found.dropped
    assert found.delivered == found.emitted - 1
    found.is_full = False
    found.run(20 * MINUTE, more=1, every=1)
    assert found.quarantined == [4]
    assert sum(found.dropped.values()) == 1
