"""Which start markers arrive of real jobs: the job's at once, a step's only while the step is open for some seconds."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from synapse_otel.journal.cursor import read_cursor
from synapse_otel.runs.overview import Overview
from synapse_otel.semconv.signal import Signal
from tests.eventually import eventually
from tests.faults.running import Place

pytestmark = pytest.mark.once

OF_JOB, OF_STEP = "train demo (started)", "wait (started)"
SPANS = {"load", "wait", "train demo"}


@pytest.fixture
def waiting(place: Place) -> subprocess.Popen[str]:
    """A job that is in a step, for as long as its stdin is open."""
    job = place.start("waiting_in_a_step")
    assert any(line == "in the step\n" for line in job.stdout)
    return job


def finish(job: subprocess.Popen[str]) -> None:
    _, errors = job.communicate("", timeout=30)
    assert job.returncode == 0, errors
    assert "pending 0 · dropped 0" in errors


def arrived(sink) -> list[str]:
    return [span.name for span in sink.spans(markers=True)]


def cursor_of(place: Place):
    return read_cursor(place.folders()[0], Signal.TRACES)


def held(place: Place) -> bool:
    return bool(place.folders()) and "markers" in cursor_of(place).state


def test_a_job_of_short_steps_has_one_marker_and_does_not_wait_for_the_others(place, sink):
    ended = place.run("training", "0", "3")
    assert ended.code == 0, ended.err
    assert "pending 0 · dropped 0" in ended.err
    assert sorted(arrived(sink)) == sorted(["load", "train", "train demo", OF_JOB])
    account = Overview.read(place.folders()).by_signal["traces"]
    assert (account.emitted, account.delivered, account.withheld, account.pending) == (6, 6, 2, 0)


def test_a_long_step_is_shown_while_it_is_open(place, sink, waiting):
    sink.wait(lambda: OF_STEP in arrived(sink), within=30)
    assert waiting.poll() is None
    assert arrived(sink).count(OF_STEP) == 1
    assert "load (started)" not in arrived(sink)
    finish(waiting)
    assert sorted(arrived(sink)) == sorted([*SPANS, OF_JOB, OF_STEP])
    assert (cursor_of(place).delivered, cursor_of(place).withheld) == (6, 1)


def test_a_job_that_is_killed_while_its_steps_marker_is_held_needs_none(place, sink, waiting):
    eventually(lambda: held(place))
    waiting.kill()
    eventually(lambda: cursor_of(place).complete)
    assert sorted(arrived(sink)) == sorted([*SPANS, OF_JOB])
    assert {span.name for span in sink.spans() if span.status.code == 2} == {"wait", "train demo"}
    assert (cursor_of(place).delivered, cursor_of(place).withheld, cursor_of(place).dropped) == (4, 2, {})


def test_a_shipper_that_is_killed_while_it_holds_a_marker_loses_none(place, sink, waiting):
    eventually(lambda: held(place))
    os.kill(eventually(place.shipper), signal.SIGKILL)
    assert OF_STEP not in arrived(sink)
    sink.wait(lambda: OF_STEP in arrived(sink), within=30)
    finish(waiting)
    assert sorted(arrived(sink)) == sorted([*SPANS, OF_JOB, OF_STEP])
