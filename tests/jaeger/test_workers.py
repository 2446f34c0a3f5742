"""The span of a process that was handed a job's context: below the step it works for, whatever becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from synapse_otel.journal.folder import read_run
from synapse_otel.runs import Recording
from synapse_otel.runs.live.followed_run import FollowedRun
from tests.faults.running import Ended, Place
from tests.sink import Sink, attributes

JOBS = Path(__file__).with_name("worker_jobs.py")
SECONDS = 30.0
ERROR = 2


@pytest.fixture
def place(tmp_path: Path, sink: Sink) -> Iterator[Place]:
    found = Place(tmp_path / "journals", sink.url)
    yield found
    found.end()


def run(place: Place, sink: Sink, name: str, count: int) -> tuple[Ended, dict[str, list]]:
    """Run a job; return how it ended and, when there are ``count`` of them, its spans by name."""
    ended = place.run(name, program=JOBS)
    spans = sink.wait(lambda: len(sink.spans()) >= count and sink.spans(), SECONDS)
    assert len(spans) == count, [span.name for span in spans]
    assert len({span.trace_id for span in spans}) == 1
    by_name: dict[str, list] = {}
    for span in spans:
        by_name.setdefault(span.name, []).append(span)
    return ended, by_name


def said(span) -> list[str]:
    return [attributes(event)["message"] for event in span.events]


def test_a_pool_that_is_terminated_leaves_no_error(place, sink):
    ended, spans = run(place, sink, "terminated", 4)
    assert ended.code == 0, ended.err
    (parts,), (worker,) = spans["parts"], spans["worker parts"]
    assert worker.parent_span_id == parts.span_id
    assert (worker.status.code, "error.type" in attributes(worker)) == (0, False)
    assert said(worker) == ["part 0"]
    assert parts.start_time_unix_nano < worker.start_time_unix_nano < worker.end_time_unix_nano
    assert worker.end_time_unix_nano <= parts.end_time_unix_nano


def test_a_pool_that_is_terminated_is_no_failure_in_what_is_read_from_the_journals(place, sink):
    place.variables["SYNAPSE_OTEL_JOURNAL_KEEP"] = "true"
    run(place, sink, "terminated", 4)
    folders = sorted(place.folders(), key=lambda folder: read_run(folder).parent)
    gathered = FollowedRun(folders)
    assert gathered.refresh()
    (shown,) = [span for span in gathered.spans.values() if span.name == "worker parts"]
    (read,) = [span for _depth, span in Recording.read(*folders).walk() if span.name == "worker parts"]
    for worker in (shown, read):
        assert not worker.is_open
        assert not worker.failed
        assert worker.start < worker.end


def test_without_a_step_it_stands_below_the_job(place, sink):
    ended, spans = run(place, sink, "of_the_job", 2)
    assert ended.code == 0, ended.err
    (worker,) = spans["worker train digits"]
    assert worker.parent_span_id == spans["train digits"][0].span_id
    assert "synapse.step.name" not in attributes(worker)


def test_what_one_process_does_for_a_step_is_one_span(place, sink):
    ended, spans = run(place, sink, "several", 4)
    assert ended.code == 0, ended.err
    (worker,) = spans["worker parts"]
    assert said(worker) == ["part 0", "part 1", "part 2"]
    assert worker.end_time_unix_nano == worker.events[-1].time_unix_nano, "it ends with the last thing recorded"
    records = [record for record in sink.logs() if record.span_id == worker.span_id]
    assert [record.body.string_value for record in records] == said(worker)
    assert not [span for span in sink.spans(markers=True) if span.parent_span_id == worker.span_id], "it has ended"


@pytest.mark.parametrize(("name", "queries"), [("instrumented", 2), ("instrumented_forks", 1)])
def test_spans_of_other_instrumentations_stand_below_it(place, sink, name, queries):
    ended, spans = run(place, sink, name, 4 + queries)
    assert ended.code == 0, ended.err
    (worker,) = spans["worker parts"]
    for number in range(queries):
        (query,) = spans[f"query {number}"]
        assert query.parent_span_id == worker.span_id


def test_the_hosts_provider_gets_it_whole_too(place, tmp_path):
    file = place.variables["HOSTS_SPANS"] = str(tmp_path / "spans")
    ended = place.run("instrumented", program=JOBS)
    assert ended.code == 0, ended.err
    spans = [line.split("|") for line in Path(file).read_text().splitlines()]
    of = {name: (span, parent) for name, span, parent in spans}
    assert of["query 0"][1] == of["query 1"][1] == of["worker parts"][0]
    assert of["worker parts"][1] == of["parts"][0]
    assert of["worker parts (started)"][1] == of["worker parts"][0]


def test_a_worker_may_have_workers(place, sink):
    ended, spans = run(place, sink, "handed_on", 5)
    assert ended.code == 0, ended.err
    first = next(span for span in spans["worker parts"] if span.parent_span_id == spans["parts"][0].span_id)
    second = next(span for span in spans["worker parts"] if span is not first)
    assert second.parent_span_id == first.span_id
    assert said(second) == ["part 0"]


def test_a_worker_may_run_a_job_of_its_own_in_between(place, sink):
    ended, spans = run(place, sink, "with_a_job_of_its_own", 6)
    assert ended.code == 0, ended.err
    first, second = sorted(spans["worker parts"], key=lambda span: span.start_time_unix_nano)
    assert (said(first), said(second)) == (["before"], ["part 1"])
    assert spans["export other"][0].parent_span_id == first.span_id
    assert {span.parent_span_id for span in (first, second)} == {spans["parts"][0].span_id}


def test_a_worker_that_is_killed_ends_there_and_its_step_is_the_error(place, sink):
    ended, spans = run(place, sink, "killed", 4)
    assert ended.code == 1
    (job,), (parts,), (worker,) = spans["train digits"], spans["parts"], spans["worker parts"]
    assert said(worker) == ["part 0"]
    assert worker.status.code == 0
    assert worker.end_time_unix_nano <= parts.end_time_unix_nano
    for span in (job, parts):
        assert span.status.code == ERROR
        assert attributes(span)["error.type"] == "BrokenProcessPool"


def test_without_live_spans_it_has_no_marker(place, sink):
    place.variables["SYNAPSE_OTEL_LIVE_SPANS"] = "off"
    run(place, sink, "several", 4)
    assert len(sink.spans(markers=True)) == len(sink.spans())
