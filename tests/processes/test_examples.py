"""Each way to start work from a job: the context is carried, one trace, all records there, and none twice."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.processes.conftest import BACKENDS, EPOCHS, POOLS, PROGRAMS
from tests.sink import attributes, body

pytestmark = pytest.mark.once


def test_nothing_is_delivered_twice(delivered):
    uids = Counter(its["log.record.uid"] for _record, its in delivered.records)
    assert [uid for uid, count in uids.items() if count > 1] == []
    spans = Counter(span.span_id for span in delivered.sink.spans(markers=True))
    assert [span for span, count in spans.items() if count > 1] == []
    assert {span.status.code for span in delivered.sink.spans()} == {0}, "no worker's end is an error"
    assert set(delivered.said) == set(PROGRAMS)


def test_a_program_that_runs_a_job_is_a_child_in_the_same_trace(delivered):
    job, child = delivered.span("parent", "train parent"), delivered.span("parent", "export child")
    assert child.parent_span_id == job.span_id
    assert delivered.messages("child") == {"of the child's own job": 1}


def test_a_program_without_a_job_records_in_the_one_that_has_started_it(delivered):
    assert delivered.messages("parent") == {"first part of the job": 1, "second part of the job": 1}
    workers = [span for span in delivered.spans("parent") if span.name == "worker train parent"]
    assert {span.parent_span_id for span in workers} == {delivered.span("parent", "train parent").span_id}
    logged = [record for record in delivered.logs("parent") if str(body(record)).endswith("part is done")]
    assert {record.span_id for record in logged} == {span.span_id for span in workers}
    assert len(workers) == len(logged) == 2


@pytest.mark.parametrize(("how", "method"), POOLS)
def test_multiprocessing(delivered, how, method):
    job_id = f"{how}-{method}"
    assert delivered.messages(job_id) == {f"part {part} is converted": 1 for part in range(4)}
    assert delivered.samples(job_id) == {part * 10.0: 1 for part in range(4)}
    step = delivered.span(job_id, "convert")
    workers = [span for span in delivered.spans(job_id) if span.name == "worker convert"]
    said = [record for record in delivered.logs(job_id) if record.event_name == "synapse.message"]
    if (how, method) == ("process", "fork"):  # nothing is pickled: they are the step's own
        assert workers == []
        assert {record.span_id for record in said} == {step.span_id}
    else:
        assert {span.parent_span_id for span in workers} == {step.span_id}
        assert {record.span_id for record in said} == {span.span_id for span in workers}


@pytest.mark.parametrize("backend", BACKENDS)
def test_joblib(delivered, backend):
    job_id = f"joblib-{backend}"
    assert delivered.messages(job_id) == {f"part {part} is converted": 2 for part in range(6)}
    assert delivered.samples(job_id) == {part * 10.0: 2 for part in range(6)}
    job = delivered.span(job_id, "convert images")
    workers = [span for span in delivered.spans(job_id) if span.name == "worker convert images"]
    said = {record.span_id for record in delivered.logs(job_id) if record.event_name == "synapse.message"}
    if backend == "threading":
        assert (workers, said) == ([], {job.span_id})
    else:
        assert {span.parent_span_id for span in workers} == {job.span_id}
        assert said == {span.span_id for span in workers}


@pytest.mark.parametrize("job_id", ["left", "right"])
def test_threads_and_tasks_belong_to_their_step(delivered, job_id):
    expected = {
        **{f"file {number}": "download" for number in range(4)},
        "converted in a pool of all": "convert",
        **{f"{kind} {number}": "publish" for kind in ("task", "thread of task") for number in range(3)},
    }
    said = [record for record in delivered.logs(job_id) if record.event_name == "synapse.message"]
    assert {body(record): attributes(record)["synapse.category"] for record in said} == expected
    assert len(said) == len(expected)
    for record in said:
        assert record.span_id == delivered.span(job_id, expected[body(record)]).span_id
    other = "right" if job_id == "left" else "left"
    assert delivered.span(job_id, f"upload {job_id}").trace_id != delivered.span(other, f"upload {other}").trace_id


def test_a_loader_whose_workers_are_forked_from_threads_that_record(delivered):
    logs = delivered.logs("loader")
    loaded = Counter(
        attributes(record)["synapse.data.number"] for record in logs if record.event_name == "batch_loaded"
    )
    assert loaded == {**dict.fromkeys(range(5), EPOCHS + 1), 5: EPOCHS}
    watched = Counter(
        (attributes(record)["synapse.data.thread"], attributes(record)["synapse.data.count"])
        for record in logs
        if body(record) == "watched"
    )
    assert set(watched.values()) == {1}, "none of the parent's records is a child's too"
    assert delivered.said["data_loader.py", str(EPOCHS)] == f"watched {len(watched)}\n"
    assert delivered.messages("loader") == {"batch 5 is missing": 1, "ended early: FileNotFoundError(5)": 1}
    assert {record.span_id for record in logs} == {delivered.span("loader", "train loader").span_id}
