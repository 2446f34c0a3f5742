"""What is known of a job does not hang on its span: a sampler drops it, a host keeps it, or it is another process'."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.eventually import eventually
from tests.faults.running import Place
from tests.sink import Sink, attributes

pytestmark = pytest.mark.once

JOB = """
import os, sys
from opentelemetry import trace
import synapse_otel
from synapse_otel.loggers import NoOpLogger

if "host" in sys.argv:
    from opentelemetry.sdk.trace import TracerProvider

    trace.set_tracer_provider(TracerProvider())
with synapse_otel.job("train", plugin="demo", job_id="job-1", logger=NoOpLogger()) as ctx:
    ctx.set_progress(3, 4, "download")
    ctx.log_message("here")
    ctx.set_metrics({"loss": 0.5})
    if "kill" in sys.argv:
        os.kill(os.getpid(), 9)
"""
FORKING = """
import os
import synapse_otel
from synapse_otel.loggers import NoOpLogger

with synapse_otel.job("train", plugin="demo", job_id="job-1", logger=NoOpLogger()) as ctx:
    ctx.set_progress(1, 4, "parent")
    if os.fork() == 0:
        ctx.set_progress(2, 4, "child")
        ctx.log("one", {"of": "the child"})
        os._exit(0)
    os.wait()
"""


def run(place: Place, program: str, *arguments: str) -> int:
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, env=place.environment(), timeout=60, check=False).returncode


SETTINGS = {"sampled out": ("sampler", {"OTEL_TRACES_SAMPLER": "always_off"}), "host's tracer": ("host", {})}


@pytest.mark.parametrize("what", SETTINGS)
def test_progress_and_counters_of_a_job_without_a_span_of_ours_arrive(place: Place, sink: Sink, what: str) -> None:
    argument, place.variables = SETTINGS[what]
    assert run(place, JOB, argument) == 0
    eventually(lambda: sink.last("synapse.job.active") == 0)
    assert sink.last("synapse.job.progress.current", **{"synapse.category": "download"}) == 3
    assert sink.last("synapse.job.messages", **{"synapse.message.context": "info"}) == 1
    assert not sink.spans()


@pytest.mark.parametrize("what", SETTINGS)
def test_it_is_closed_when_it_is_killed(place: Place, sink: Sink, what: str) -> None:
    argument, place.variables = SETTINGS[what]
    assert run(place, JOB, argument, "kill") == -9
    eventually(lambda: sink.last("synapse.job.active") == 0)
    eventually(lambda: [log for log in sink.logs() if log.event_name == "synapse.job.finished"])
    (end,) = [log for log in sink.logs() if log.event_name == "synapse.job.finished"]
    assert attributes(end)["error.type"] == "killed"
    assert attributes(end)["synapse.job.id"] == "job-1"
    assert sink.last("synapse.job.progress.current", **{"synapse.category": "download"}) == 3
    assert sink.last("synapse.job.duration")[0] == 1


def test_what_a_forked_child_has_done_arrives_and_its_death_is_not_the_jobs(place: Place, sink: Sink) -> None:
    assert run(place, FORKING) == 0
    eventually(lambda: sink.last("synapse.job.progress.current", **{"synapse.category": "child"}) == 2)
    eventually(lambda: sink.last("synapse.job.active") == 0)
    assert sink.last("synapse.job.events", **{"synapse.event.name": "one"}) == 1
    ends = [log for log in sink.logs() if log.event_name == "synapse.job.finished"]
    assert [attributes(end)["synapse.job.result"] for end in ends] == ["success"]
