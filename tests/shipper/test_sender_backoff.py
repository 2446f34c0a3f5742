"""How long a server is left alone."""

import pytest

from synapse_otel.otlp.backoff import Backoff


class Clock:
    seconds = 100.0

    def __call__(self):
        return self.seconds


def test_the_window_doubles_up_to_the_limit():
    backoff = Backoff(random=lambda: 1.0)
    assert [backoff.failed() for _ in range(8)] == [1, 2, 4, 8, 16, 30, 30, 30]
    assert backoff.failures == 8


def test_the_wait_is_anywhere_in_the_window():
    backoff = Backoff(first_seconds=30.0)
    waits = [backoff.failed() for _ in range(500)]
    assert 0 <= min(waits) < 3
    assert 27 < max(waits) < 30


def test_nobody_comes_back_before_the_server_asked_or_all_at_once():
    assert Backoff(random=lambda: 0.0).failed(40.0) == 40.0
    assert Backoff(random=lambda: 0.5).failed(40.0) == 40.5


def test_what_a_server_asks_for_may_be_longer_than_the_limit_and_comes_before_the_jitter():
    backoff = Backoff(random=lambda: 1.0)
    assert [backoff.failed(after) for after in (600.0, None, 0.0)] == [601.0, 2.0, 4.0]


def test_every_window_is_drawn_from_anew():
    """Full jitter: two shippers that fail at the same moments do not come back at the same ones."""
    one, other = Backoff(), Backoff()
    waits = [(one.failed(), other.failed()) for _ in range(50)]
    assert all(0 <= wait <= min(2.0**number, 30.0) for number, pair in enumerate(waits) for wait in pair)
    assert sum(abs(mine - yours) > 1 for mine, yours in waits[5:]) > 20


def test_a_failure_begins_the_wait_anew():
    clock = Clock()
    backoff = Backoff(random=lambda: 1.0, clock=clock)
    backoff.failed()
    clock.seconds += 0.5
    backoff.failed()
    assert backoff.remaining_seconds() == 2.0


def test_time_runs_down_and_success_ends_it():
    clock = Clock()
    backoff = Backoff(random=lambda: 1.0, clock=clock)
    assert backoff.remaining_seconds() == 0
    backoff.failed(2.0)
    assert backoff.remaining_seconds() == 3.0
    clock.seconds += 1.0
    assert backoff.remaining_seconds() == 2.0
    clock.seconds += 9.0
    assert backoff.remaining_seconds() == 0
    backoff.failed()
    backoff.succeeded()
    assert (backoff.remaining_seconds(), backoff.failures) == (0, 0)
    assert backoff.failed() == 1.0


def test_an_outage_of_days_does_not_overflow():
    backoff = Backoff()
    for _ in range(5000):
        backoff.failed()
    assert backoff.failed() == pytest.approx(15, abs=15)
