"""The wall clock is set while a job runs, or between two: order is kept, no duration is negative, nothing is lost."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from synapse_otel.journal.cursor import read_cursor
from synapse_otel.runs import Recording
from synapse_otel.semconv.signal import Signal
from synapse_otel.ui.printed import Report
from tests.eventually import eventually
from tests.sink import attributes, body

pytestmark = pytest.mark.once

CLOCK = Path(__file__).with_name("clock")
EACH = 20
HOUR = 3600
BEFORE_1970 = -70 * 365 * 24 * HOUR
FAR = 150 * 365 * 24 * HOUR
SHIFTS = {
    "set back by half a second": [0, -0.5, -0.5],
    "set back by an hour": [0, -HOUR, -HOUR],
    "back and forth": [0, -5 * HOUR, 5 * HOUR, -HOUR, 0],
    "asleep for a day": [0, 24 * HOUR, 24 * HOUR],
    "before 1970": [BEFORE_1970, BEFORE_1970, BEFORE_1970 - HOUR, BEFORE_1970],
    "from before 1970 to now": [BEFORE_1970, 0, BEFORE_1970],
    "far in the future": [FAR, FAR - 1, FAR, 0],
}


def run(place, shifts, **variables):
    environment = place.environment() | variables
    environment["PYTHONPATH"] = os.pathsep.join((str(CLOCK), environment["PYTHONPATH"]))
    return subprocess.run(
        [sys.executable, str(CLOCK / "jobs.py"), *map(str, shifts)],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def delivered(folder):
    cursors = [read_cursor(folder, signal) for signal in Signal]
    if not all(cursor.complete for cursor in cursors):
        return None
    return [(cursor.sequence, cursor.delivered, cursor.dropped) for cursor in cursors]


def check_arrived(sink, rounds):
    """Everything is there once, in its order, and nothing ends before it begins."""
    numbers = [str(number) for number in range(rounds * EACH)]
    messages = [body(record) for record in sink.logs() if str(body(record)).startswith("message ")]
    assert messages == [f"message {number}" for number in numbers]
    losses = [point.value for point in sink.points("synapse.job.metric")]
    assert losses == [float(number) for number in numbers], "none merged, in their order"
    spans = sink.spans(markers=True)
    assert all(0 <= span.start_time_unix_nano <= span.end_time_unix_nano for span in spans)
    assert sum(span.name.startswith("span of another") for span in spans) == rounds
    for point in sink.points():
        assert 0 <= point.start <= point.time, point
        if isinstance(point.value, tuple):
            assert point.value[1] >= 0, point
    assert all(point.value >= 0 for point in sink.points("synapse.job.eta"))


def check_shown(folder):
    """The report can be read, and says of nothing that it took less than no time."""
    recording = Recording.read(folder)
    assert recording.spans
    assert all(recording.end_of(span) >= span.start for span in recording.spans)
    out = StringIO()
    Console(file=out, width=120, no_color=True).print(Report(recording))
    assert "took -" not in out.getvalue()


@pytest.mark.parametrize("shifts", SHIFTS.values(), ids=SHIFTS)
def test_a_clock_that_is_set_while_a_job_runs(sink, place, shifts):
    ended = run(place, shifts, SYNAPSE_OTEL_JOURNAL_KEEP="true")
    assert ended.returncode == 0, ended.stderr
    [folder] = place.folders()
    account = eventually(lambda: delivered(folder))
    assert all((count, dropped) == (sequence, {}) for sequence, count, dropped in account)
    check_arrived(sink, len(shifts) - 1)
    assert sink.last("synapse.job.active") == 0
    check_shown(folder)


@pytest.mark.parametrize("shifts", [[0, -5 * HOUR, -HOUR], [5 * HOUR, 0, 0]], ids=str)
def test_the_last_values_are_as_old_as_the_clock_says_though_it_was_set_back(sink, place, shifts):
    assert run(place, shifts, SYNAPSE_OTEL_SHIPPER="thread").returncode == 0
    [folder] = place.folders()
    if not delivered(folder):
        place.start_shipper()
        eventually(lambda: delivered(folder))
    [*_, last] = [
        point for point in sink.points("synapse.job.items") if point.attributes.get("synapse.category") == "jump 1"
    ]
    expected = time.time() + shifts[-1]
    assert abs(last.time / 1e9 - expected) < 60, "hours ahead of its time, a backend would refuse it"
    assert last.value == 2 * EACH


@pytest.mark.parametrize("shifts", [[0, -5 * HOUR, 5 * HOUR, -HOUR], [BEFORE_1970, 0, BEFORE_1970]], ids=str)
def test_a_job_that_is_killed_after_its_clock_was_set(sink, place, shifts):
    assert run(place, shifts, KILLED="1").returncode < 0
    [folder] = place.folders()
    eventually(lambda: delivered(folder))
    check_arrived(sink, len(shifts) - 1)
    [root] = [span for span in sink.spans() if span.name == "train demo"]
    assert attributes(root)["error.type"] == "killed"
    assert sink.last("synapse.job.active") == 0


def test_a_clock_that_is_set_back_between_two_jobs(sink, place):
    for shift in (0, -3 * HOUR, 24 * HOUR, BEFORE_1970):
        assert run(place, [shift, shift]).returncode == 0
    for folder in place.folders():
        account = eventually(lambda folder=folder: delivered(folder))
        assert all((count, dropped) == (sequence, {}) for sequence, count, dropped in account)
    assert len(place.folders()) == 4
    by_run = {}
    for point in sink.points("synapse.job.metric"):
        by_run.setdefault(point.resource["service.instance.id"], []).append(point.value)
    assert list(by_run.values()) == [[float(number) for number in range(EACH)]] * 4
    times = [point.time for point in sink.points("synapse.job.metric")]
    assert any(later < earlier for earlier, later in itertools.pairwise(times)), "the clock was set"
