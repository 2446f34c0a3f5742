"""What a job's processes used, sampled by a real shipper: in the file, at the receiver, on the job's span."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from synapse_otel import semconv
from synapse_otel.journal.usage import read_usage
from tests.eventually import eventually
from tests.sink import attributes
from tests.usage.conftest import go_on

pytestmark = pytest.mark.once

MEBIBYTE = 1 << 20


def span_of(sink, job="job-1", name="train yolo"):
    return sink.wait(
        lambda: next(
            (one for one in sink.spans() if one.name == name and attributes(one)["synapse.job.id"] == job), None
        )
    )


def samples(folder):
    return read_usage(folder).samples


def test_memory_that_was_held_for_a_moment_is_the_peak(sink, place, shipping, start_job):
    shipping()
    job = start_job("memory", 300)
    (folder,) = place.folders()
    before = eventually(lambda: samples(folder), within=60)[0].memory
    go_on(job)
    count = len(samples(folder))
    eventually(lambda: len(samples(folder)) > count, within=60)
    job.communicate("\n", timeout=60)
    found = attributes(span_of(sink))
    assert 300 * MEBIBYTE <= found[semconv.USAGE_MEMORY_PEAK] < before + 310 * MEBIBYTE
    assert found[semconv.USAGE_CPU_LIMIT] <= os.cpu_count()


def test_children_count_also_when_they_have_ended(sink, place, shipping, start_job):
    shipping()
    job = start_job("children", 8)
    (folder,) = place.folders()
    eventually(lambda: samples(folder), within=60)
    assert go_on(job).startswith("ready ")
    sink.wait(lambda: sink.last("synapse.job.processes") == 2, within=60)
    job.communicate("\n", timeout=60)
    found = attributes(span_of(sink))
    eventually((folder / "summary.json").exists, within=60)
    # Each signal is told of the end by itself: whichever came later may have taken one more sample.
    at_the_end = samples(folder)[-3:]
    last = at_the_end[-1]
    used = float(subprocess.run([sys.executable, "-c", TIMED], capture_output=True, check=True).stdout)
    assert last.cpu_user + last.cpu_system >= used / 3, "a child's five million rounds"
    told = found[semconv.USAGE_CPU_TIME]
    assert any(told == pytest.approx(one.cpu_user + one.cpu_system, abs=0.01) for one in at_the_end)
    assert found[semconv.USAGE_DISK_WRITE] >= 8 * MEBIBYTE
    assert found[semconv.USAGE_PROCESSES_PEAK] == 2
    sink.wait(lambda: last.cpu_user - 0.5 < sink.last("process.cpu.time", cpu_mode="user") <= last.cpu_user, within=60)
    assert 8 * MEBIBYTE <= sink.last("process.disk.io", disk_io_direction="write") <= last.disk_written
    starts = {point.start for point in sink.points("process.cpu.time")}
    assert len(starts) == 1
    assert time.time_ns() - starts.pop() < 120e9, "the beginning of the process"


TIMED = """
import resource
total = 0
for i in range(5_000_000): total += i
print(resource.getrusage(resource.RUSAGE_SELF).ru_utime)
"""


def test_every_metric_arrives_as_it_is_defined_and_stops_with_the_job(sink, place, shipping, start_job):
    shipping()
    job = start_job("wait")
    wanted = {one.name: one for one in semconv.USAGE_METRICS if not one.name.startswith("hw.")}
    wanted.pop(semconv.JOB_MEMORY_LIMIT.name)
    sink.wait(lambda: all(sink.points(name) for name in wanted), within=60)
    for name, metric in wanted.items():
        for point in sink.points(name):
            assert set(point.attributes) == set(metric.attributes), name
            assert point.attributes[semconv.JOB_ID] == "job-1"
    job.communicate("\n", timeout=60)
    span_of(sink)
    (folder,) = place.folders()
    eventually((folder / "summary.json").exists, within=60)
    count = len(sink.points("process.memory.usage"))
    time.sleep(1.0)  # the interval is 0.6 s
    assert len(sink.points("process.memory.usage")) == count
    times = [point.time for point in sink.points("process.memory.usage")]
    assert times == sorted(times)


def test_a_killed_job_has_its_peaks_too(sink, place, shipping, start_job):
    shipping()
    job = start_job("memory", 200)
    (folder,) = place.folders()
    eventually(lambda: samples(folder), within=60)
    go_on(job)
    count = len(samples(folder))
    eventually(lambda: len(samples(folder)) > count, within=60)
    os.kill(job.pid, signal.SIGKILL)
    job.communicate(timeout=60)
    found = attributes(span_of(sink))
    assert (found["error.type"], found["synapse.job.result"]) == ("killed", "error")
    assert found[semconv.USAGE_MEMORY_PEAK] >= 200 * MEBIBYTE
    assert found[semconv.USAGE_CPU_TIME] > 0


def test_what_a_worker_uses_is_counted_once(sink, place, shipping, start_job):
    shipping()
    job = start_job("worker")
    folders = eventually(lambda: len(found := place.folders()) == 2 and found, within=60)
    sink.wait(lambda: sink.last("synapse.job.processes") == 2, within=60)
    sink.wait(lambda: any("of the worker" in str(record.body) for record in sink.logs()), within=60)
    job.communicate("\n", timeout=60)
    span_of(sink)
    sampled = [folder for folder in folders if samples(folder)]
    assert len(sampled) == 1
    assert len({point.start for point in sink.points("process.cpu.time")}) == 1


def test_each_job_of_a_process_has_what_was_used_in_its_time(sink, place, shipping, start_job):
    shipping()
    job = start_job("in_a_row", 2)
    eventually(lambda: samples(place.folders()[0]), within=60)
    go_on(job)
    sink.wait(lambda: sink.last("process.memory.usage", synapse_job_id="job-1"), within=60)
    job.communicate("\n", timeout=60)
    first, second = (attributes(span_of(sink, name)) for name in ("job-0", "job-1"))
    assert first[semconv.USAGE_MEMORY_PEAK] > 0
    assert second[semconv.USAGE_MEMORY_PEAK] > 0
    assert second[semconv.USAGE_CPU_TIME] < 5


def test_a_shipper_that_goes_on_for_a_killed_one_goes_on_counting(sink, place, shipping, start_job):
    one = shipping()
    job = start_job("children", 4)
    (folder,) = place.folders()
    go_on(job)
    eventually(lambda: samples(folder) and samples(folder)[-1].processes == 2, within=60)
    one.stop()
    before = samples(folder)
    shipping()
    eventually(lambda: len(samples(folder)) > len(before) + 1, within=60)
    job.communicate("\n", timeout=60)
    span_of(sink)
    used = [each.cpu_user + each.cpu_system for each in samples(folder)]
    written = [each.disk_written for each in samples(folder)]
    assert (used, written) == (sorted(used), sorted(written))


def test_by_default_a_job_is_sampled_by_its_shippers_process_and_by_the_setting_not(sink, place, start_job):
    for interval in ("", "0"):
        place.variables = {"SYNAPSE_OTEL_USAGE_INTERVAL": interval, "SYNAPSE_OTEL_EXIT_TIMEOUT": "20"}
        before = place.folders()
        job = start_job("wait")
        (folder,) = set(place.folders()) - set(before)  # their names are in order only by the second
        sink.wait(lambda folder=folder: sink.last("synapse.job.heartbeat.time"), within=60)
        if not interval:
            sink.wait(lambda folder=folder: samples(folder), within=60)
        job.communicate("\n", timeout=30)
        assert bool(samples(folder)) == (not interval)
        place.kill_shipper()
