"""What hosts do with jobs and contexts that nobody would have planned: defined, and nothing lost."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from synapse_otel.journal.cursor import read_cursor
from synapse_otel.journal.folder import read_run
from synapse_otel.semconv.signal import Signal
from tests.eventually import eventually
from tests.faults.running import Place
from tests.faults.test_exit import all_complete
from tests.sink import attributes, body

PROGRAM = Path(__file__).with_name("host.py")


@pytest.fixture
def host(place):
    def run(name, *arguments):
        ended = place.run(name, *arguments, program=PROGRAM)
        assert ended.code == 0, ended.err
        eventually(lambda: all_complete(place))
        return ended

    return run


def logs(sink, job_id):
    return [record for record in sink.logs() if attributes(record).get("synapse.job.id") == job_id]


def texts(sink, job_id):
    return [body(record) for record in logs(sink, job_id)]


def job_span(sink, job_id="job-1"):
    return next(
        span for span in sink.spans() if attributes(span).get("synapse.job.id") == job_id and span.name == "train demo"
    )


def parts(place):
    """Return the journals of the run's other processes, and the run's own."""
    runs = [read_run(folder) for folder in place.folders()]
    [own] = [run for run in runs if not run.parent]
    return [run for run in runs if run.parent], own


@pytest.mark.parametrize("logger", ["ours", "console"])
def test_what_is_recorded_after_the_end_arrives_in_the_same_trace_and_no_job_runs_again(sink, place, host, logger):
    host("late", logger)

    late = {"too late", "too late in a thread", "of the first in the second"}
    assert late <= set(texts(sink, "job-1"))
    assert texts(sink, "job-2").count("of the second") == 1
    job = job_span(sink)
    assert {record.trace_id for record in logs(sink, "job-1")} == {job.trace_id}
    assert [point.value for point in sink.points("synapse.job.metric")] == [1.5]
    assert sink.last("synapse.job.active", synapse_job_id="job-1") == 0
    assert sink.points("synapse.job.progress.current") == [], "a job that is over has no progress"
    assert [span.name for span in sink.spans()].count("train demo") == 2
    uids = [attributes(record)["log.record.uid"] for record in sink.logs()]
    assert len(uids) == len(set(uids))


def test_of_nested_jobs_each_has_its_own_records_and_one_trace(sink, place, host):
    host("nested")

    outer, inner = job_span(sink, "outer"), job_span(sink, "inner")
    assert inner.parent_span_id == outer.span_id
    assert inner.trace_id == outer.trace_id
    assert {"of the outer, inside", "of the outer, after", "logged after"} <= set(texts(sink, "outer"))
    assert {"of the inner", "logged inside"} <= set(texts(sink, "inner"))
    assert sink.last("synapse.job.progress.current", synapse_job_id="outer") == 1
    assert sink.last("synapse.job.progress.current", synapse_job_id="inner") == 2
    assert sink.last("synapse.job.active", synapse_job_id="inner") == 0
    assert len(place.folders()) == 1, "one journal for the process' run"


def test_sigterm_ends_nested_jobs_from_the_inside(sink, place):
    process = place.start("nested_waiting", program=PROGRAM)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)

    assert process.returncode == -signal.SIGTERM
    assert "pending 0" in err
    for name in ("outer", "inner"):
        ended = attributes(job_span(sink, name))
        assert (ended["synapse.job.result"], ended["error.type"]) == ("error", "SIGTERM")


def test_sigterm_that_the_host_ignores_ends_no_nested_job(sink, place):
    process = place.start("nested_waiting", "ignores", program=PROGRAM)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "handler\n"
    process.communicate("", timeout=30)

    assert process.returncode == 0
    eventually(lambda: all_complete(place))
    for name in ("outer", "inner"):
        assert attributes(job_span(sink, name))["synapse.job.result"] == "success"


def test_jobs_in_threads_at_the_same_time_keep_apart(sink, place, host):
    host("at_once", 8)

    for number in range(8):
        name = f"job-{number}"
        found = texts(sink, name)
        assert [text for text in found if text.startswith(f"{number}: ")] == [
            f"{number}: {done}" for done in range(1, 51)
        ]
        assert [text for text in found if text.startswith("logged")] == [
            f"logged {number}: {done}" for done in range(1, 51)
        ]
        assert {record.trace_id for record in logs(sink, name)} == {job_span(sink, name).trace_id}
        assert sink.last("synapse.job.progress.current", synapse_job_id=name) == 50
        assert sink.last("synapse.job.active", synapse_job_id=name) == 0
    assert len({span.trace_id for span in sink.spans()}) == 8


def test_copies_of_a_context_record_in_the_same_job(sink, host):
    ended = host("copies")

    assert ended.out == "a True\n"
    job = job_span(sink)
    found = {body(record): record for record in logs(sink, "job-1")}
    for text in ("of a copy", "of a deep copy", "of a pickled copy"):
        assert (found[text].trace_id, found[text].span_id) == (job.trace_id, job.span_id)


def is_within(sink, record, span) -> bool:
    """Say whether a record belongs to a span, or to that of a worker below it."""
    workers = [each.span_id for each in sink.spans() if each.parent_span_id == span.span_id]
    return record.trace_id == span.trace_id and record.span_id in {span.span_id, *workers}


WAYS = ("fork", "spawn", "forkserver", "fork_pool", "executor", "subprocess")


@pytest.mark.parametrize("way", WAYS)
def test_a_context_handed_to_another_process_works_there_in_the_same_job_and_trace(sink, place, host, way):
    ended = host("handed", way)

    job = job_span(sink)
    found = {body(record): record for record in logs(sink, "job-1")}
    for number in range(2):
        for text in (f"part {number}", f"logged by part {number}"):
            assert is_within(sink, found[text], job), text
        category = f"part {number}"
        assert sink.last("synapse.job.progress.current", synapse_category=category) == number + 1
        [point] = [point for point in sink.points("synapse.job.progress.current") if point.value == number + 1][-1:]
        assert point.attributes["synapse.job.id"] == "job-1"
    assert sorted(point.value for point in sink.points("synapse.job.metric")) == [0.0, 0.5]
    assert {"parent before", "parent after"} <= set(found)
    assert attributes(job)["synapse.job.result"] == "success"
    assert len([record for record in sink.logs() if record.event_name == "synapse.job.finished"]) == 1
    assert sink.last("synapse.job.active") == 0
    duration = sink.last("synapse.job.duration")
    assert duration[0] == 1
    workers, run = parts(place)
    assert workers
    assert {worker.parent for worker in workers} == {run.journal}
    assert {worker.name for worker in workers} == {run.name}
    assert {record.resource["service.name"] for record in sink.points()} == {"demo"}
    assert way == "fork" or ended.err.count("cannot be pickled and is left out") == 1
    assert not any(read_cursor(folder, Signal.LOGS).killed for folder in place.folders()), "they ended in good order"


@pytest.mark.parametrize("way", ["fork_pool", "spawn", "subprocess"])
def test_the_context_of_a_step_works_in_another_process_in_the_same_step(sink, place, host, way):
    host("handed_in_step", way)

    step = next(span for span in sink.spans() if span.name == "parts")
    found = {body(record): record for record in logs(sink, "job-1")}
    for number in range(2):
        assert is_within(sink, found[f"part {number}"], step)
        assert attributes(found[f"part {number}"])["synapse.category"] == "parts"
    assert attributes(step)["synapse.step.result"] == "success"
    assert [span.name for span in sink.spans()].count("parts") == 1


def test_workers_are_set_up_as_their_parent_is(sink, tmp_path, place, host):
    away = Place(tmp_path / "away", sink.url)
    del place.variables, place.root  # what the variables say is not what is configured
    place.root, place.variables = tmp_path / "unused", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    ended = place.run("handed_with_settings", away.root, sink.url, program=PROGRAM)
    assert ended.code == 0, ended.err
    eventually(lambda: all_complete(away))
    assert {"part 0", "part 1"} <= set(texts(sink, "job-1"))
    assert place.folders() == []

    away.end_shippers()


def test_a_worker_that_is_handed_another_job_works_for_that_ones_run(sink, place, host):
    host("one_pool_for_two_jobs")

    for number in (1, 2):
        job = job_span(sink, f"job-{number}")
        [record] = [record for record in logs(sink, f"job-{number}") if body(record) == f"part {number}"]
        assert record.trace_id == job.trace_id
        [logged] = [record for record in logs(sink, f"job-{number}") if body(record) == f"logged by part {number}"]
        assert logged.trace_id == job.trace_id
        told = [
            point
            for point in sink.points("synapse.job.progress.current")
            if point.attributes["synapse.job.id"] == f"job-{number}"
        ]
        assert len({point.resource["service.instance.id"] for point in told}) == 1, "each in the journal of its own run"
    runs = [read_run(folder) for folder in place.folders()]
    own = [run.journal for run in runs if not run.parent]
    assert sorted(run.parent for run in runs if run.parent) == sorted(own)


def test_the_child_of_a_child_belongs_to_the_run_too(sink, place, host):
    host("forked_from_a_fork")

    workers, run = parts(place)
    assert {worker.parent for worker in workers} == {run.journal}
    assert len(workers) == 2
    assert {"of the child", "part 0"} <= set(texts(sink, "job-1"))
