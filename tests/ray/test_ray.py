"""A context in Ray's tasks and actors: one trace, one account, and nothing lost of workers that are killed."""

from __future__ import annotations

import subprocess
import sys
from io import StringIO

import pytest
from rich.console import Console

from synapse_otel.journal.cursor import read_cursor
from synapse_otel.journal.folder import read_run, run_folders
from synapse_otel.runs import Recording
from synapse_otel.semconv.signal import Signal
from synapse_otel.ui.printed import Report
from tests.ray.conftest import TOKEN, Ran, runs_of
from tests.sink import attributes, body
from tests.wheels import needs

pytestmark = [pytest.mark.once, needs("ray")]

ERROR = 2
MAIN = "from synapse_otel.cli import main; main()"
IDS = {"ray.task_id", "ray.worker_id", "ray.node_id", "ray.job_id", "host.name", "process.pid"}


def said(span) -> list[str]:
    return [attributes(event)["message"] for event in span.events if event.name == "synapse.message"]


# --- one trace ------------------------------------------------------------------------------------------


def test_tasks_work_below_their_step_and_can_be_told_apart(ran: Ran):
    (step,) = ran.spans("tasks", "parts")
    workers = ran.workers("tasks")
    assert {span.parent_span_id for span in workers} == {step.span_id}
    assert {span.trace_id for span in workers} == {step.trace_id}
    assert {span.name for span in workers} == {"worker parts: shard"}
    assert sorted(attributes(span)["process.pid"] for span in workers) == ran.told["tasks"]["pids"]
    assert len({attributes(span)["synapse.worker.id"] for span in workers}) == len(workers)
    assert all(attributes(span).keys() >= IDS for span in workers)
    assert sorted(text for span in workers for text in said(span)) == [f"shard {number}" for number in range(4)]


@pytest.mark.parametrize(("job", "messages"), [("step_context", ["of the step"]), ("generator", [])])
def test_so_does_the_context_of_a_step_and_a_task_that_yields(ran: Ran, job, messages):
    (worker,) = ran.workers(job)
    assert worker.parent_span_id == ran.spans(job, "parts")[0].span_id
    assert said(worker) == messages


def test_what_a_generator_yields_and_tells(ran: Ran):
    assert ran.told["generator"]["batches"] == [1, 2, 3]
    assert ran.progress("generator", "batches").progress.ratio == 1


def test_what_an_actor_does_is_one_span_also_with_threads_and_tasks_of_asyncio(ran: Ran):
    workers = {span.name.partition(": ")[2]: span for span in ran.workers("actors")}
    assert said(workers["the keeper"]) == ["call 1", "call 2"]
    assert attributes(workers["the keeper"])["ray.actor_id"] == ran.told["actors"]["actor"]
    assert attributes(workers["the keeper"])["synapse.worker.id"] == ran.told["actors"]["actor"]
    assert sorted(said(workers["Threaded"])) == ["thread 1", "thread 2"]
    assert sorted(said(workers["Async"])) == ["task 1", "task 2"]
    assert len(workers) == len(ran.workers("actors")) == 3


@pytest.mark.parametrize("job", ["reused_1", "reused_2"])
def test_an_actor_that_works_for_one_job_after_the_other_has_a_span_in_each(ran: Ran, job):
    (worker,) = ran.workers(job)
    assert worker.trace_id == ran.spans(job, "train ray")[0].trace_id
    assert said(worker) == [f"{job} call 1", f"{job} call 2"]


@pytest.mark.parametrize("job", ["outer", "inner"])
def test_an_actor_that_works_for_two_jobs_at_a_time_has_a_span_in_each(ran: Ran, job):
    (worker,) = ran.workers(job)
    assert worker.parent_span_id == ran.spans(job, "train ray")[0].span_id
    assert said(worker) == [f"{job} 1", f"{job} 2"]


# --- settings -------------------------------------------------------------------------------------------


def test_workers_have_the_settings_of_the_job_though_their_node_has_none_of_them(ran: Ran):
    assert {"OTEL_EXPORTER_OTLP_ENDPOINT", "SYNAPSE_OTEL_JOURNAL_DIR"} <= set(ran.told["tasks"]["variables"])
    assert {request.headers.get("authorization") for request in ran.sink.requests} == {TOKEN}
    assert len({run.destination for run in runs_of(ran.place.root)}) == 1
    points = ran.sink.points("synapse.job.progress.current")
    assert {point.resource.get("synapse.tenant") for point in points} == {"acme"}


def test_no_journal_holds_the_headers(ran: Ran):
    files = [file for root in (ran.place.root, ran.second) for file in root.rglob("*") if file.is_file()]
    assert files
    assert [file for file in files if TOKEN.encode() in file.read_bytes()] == []


# --- progress -------------------------------------------------------------------------------------------


def test_the_progress_of_workers_is_their_sum(ran: Ran):
    shards = ran.progress("tasks", "shards")
    workers = len(ran.told["tasks"]["pids"])
    assert (shards.progress.current, shards.progress.limit) == (5 * workers, 5 * workers)
    assert len(shards.workers) == workers
    ids = {attributes(span)["synapse.worker.id"] for span in ran.workers("tasks")}
    assert {one.worker for one in shards.workers} == ids
    told = [point for point in ran.sink.points("synapse.job.progress.current") if of(point, "tasks", "shards")]
    assert {point.attributes["synapse.worker.id"] for point in told} == ids


def of(point, job: str, category: str) -> bool:
    return (point.attributes["synapse.job.id"], point.attributes.get("synapse.category")) == (job, category)


def test_where_the_driver_tells_of_a_category_it_has_the_word(ran: Ran):
    shards = ran.progress("own_word", "shards")
    assert (shards.progress.current, shards.progress.limit) == (2, 2)
    assert [one.progress.limit for one in shards.workers] == [5] * len(shards.workers)
    own = [point for point in ran.sink.points("synapse.job.progress.limit") if of(point, "own_word", "shards")]
    assert {point.value for point in own if "synapse.worker.id" not in point.attributes} == {2}


@pytest.mark.parametrize(("job", "category", "items"), [("train", "epochs", 8), ("retried", "retried", 5)])
def test_what_was_begun_by_a_worker_that_was_killed_is_not_counted_twice(ran: Ran, job, category, items):
    found = ran.progress(job, category)
    assert (found.progress.current, found.progress.limit) == (items, items), found
    latest: dict[str, tuple[int, float]] = {}
    for point in ran.sink.points("synapse.job.progress.limit"):
        if of(point, job, category):
            worker = point.attributes["synapse.worker.id"]
            latest[worker] = max(latest.get(worker, (0, 0)), (point.time, point.value))
    assert sum(value for _time, value in latest.values()) == items, "what Grafana adds up"


def test_page_and_report_show_the_workers_below_their_category(ran: Ran):
    folders = ran.runs()["train"]
    console = Console(width=100, file=StringIO(), legacy_windows=False)
    console.print(Report(Recording.read(*folders)))
    lines = [line.split() for line in console.file.getvalue().splitlines()]
    workers = {one.worker[:8] for one in ran.progress("train", "epochs").workers}
    assert ["epochs", "100%"] in [line[:2] for line in lines]
    assert {line[1] for line in lines if line[:1] == ["worker"] and len(line) > 2 and line[2] == "100%"} == workers


# --- ends -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("job", ["train", "retried", "crashed"])
def test_a_worker_that_dies_at_its_work_says_so_and_has_lost_nothing(ran: Ran, job):
    (dead,) = [span for span in ran.workers(job) if span.status.code == ERROR]
    told = attributes(dead)
    assert (told["error.type"], told["synapse.step.result"]) == ("killed", "error")
    killed = [event for event in dead.events if event.name == "synapse.worker.killed"]
    assert attributes(killed[-1])["synapse.worker.id"] == told["synapse.worker.id"]
    assert said(dead) == {"train": [], "retried": ["begun"], "crashed": ["last words"]}[job]


def test_an_actor_that_ray_starts_again_is_the_same_worker(ran: Ran):
    dead = next(span for span in ran.workers("train") if span.status.code == ERROR)
    id_ = attributes(dead)["synapse.worker.id"]
    same = [span for span in ran.workers("train") if attributes(span)["synapse.worker.id"] == id_]
    assert len(same) == 2
    assert len({attributes(span)["process.pid"] for span in same}) == 2
    (job,) = ran.spans("train", "train ray")
    assert attributes(job)["synapse.job.result"] == "success"


def test_the_drivers_step_says_which_actor_died(ran: Ran):
    actor = ran.told["killed_actor_id"]["actor"]
    (worker,) = ran.workers("killed_actor")
    (record,) = [one for one in ran.sink.logs() if one.event_name == "exception" and of_job(one, "killed_actor")]
    told = attributes(record)
    assert record.span_id == ran.spans("killed_actor", "parts")[0].span_id
    assert told["synapse.worker.id"] == told["ray.actor_id"] == actor == attributes(worker)["synapse.worker.id"]
    assert worker.status.code == 0, "nobody knows whether a kept context was needed any more"


def of_job(record, job: str) -> bool:
    return attributes(record).get("synapse.job.id") == job


def test_the_drivers_step_says_where_a_task_failed(ran: Ran):
    (record,) = [one for one in ran.sink.logs() if one.event_name == "exception" and of_job(one, "failed")]
    (worker,) = ran.workers("failed")
    told = attributes(record)
    assert told["synapse.worker.pid"] == attributes(worker)["process.pid"]
    assert "no such image" in told["exception.message"]
    assert worker.status.code == 0


def test_workers_that_ray_ends_when_nobody_needs_them_are_no_error(ran: Ran):
    for job in ("tasks", "step_context", "generator", "actors", "own_word", "terminated", "reused_1", "reused_2"):
        assert {span.status.code for span in ran.workers(job)} == {0}, job


@pytest.mark.parametrize("job", ["terminated", "sigterm"])
def test_an_actor_that_is_asked_to_end_closes_its_journal(ran: Ran, job):
    driver, actor = ran.runs()[job]
    assert ran.workers(job)[0].status.code == 0
    assert read_run(actor).parent == read_run(driver).journal
    assert not read_cursor(actor, Signal.LOGS).killed


# --- a node that is gone --------------------------------------------------------------------------------


def test_what_stands_on_a_lost_node_is_delivered_by_whoever_finds_its_folder(ran: Ran):
    job = "on_the_second"
    assert ran.told[job]["raised"], "the driver hears of it"
    assert ran.workers(job) == [], "nobody delivers on that node"

    environment = {**ran.place.environment(), "SYNAPSE_OTEL_JOURNAL_DIR": str(ran.second)}
    command = [sys.executable, "-c", MAIN, "sync"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr

    (worker,) = ran.workers(job)
    (step,) = ran.spans(job, "parts")
    assert (worker.trace_id, worker.parent_span_id) == (step.trace_id, step.span_id)
    assert said(worker) == ["on the second node"]
    assert attributes(worker)["error.type"] == "killed"


# --- one account ----------------------------------------------------------------------------------------


def test_all_journals_of_a_job_are_one_run(ran: Ran):
    runs = ran.runs()
    assert len(runs) == len({run.journal for run in runs_of(ran.place.root) if not run.parent})
    for job in ("tasks", "train", "on_the_second"):
        overview = ran.overview(job)
        assert [one.id for one in overview.jobs] == [job]
        assert len(overview.folders) > 1
        assert (overview.account.pending, overview.account.lost) == (0, 0)
    command = [sys.executable, "-c", MAIN, "jobs"]
    listed = subprocess.run(
        command, env=ran.place.environment(), capture_output=True, text=True, timeout=60, check=True
    )
    assert sum(" tasks " in line for line in listed.stdout.splitlines()) == 1


# --- bad input ------------------------------------------------------------------------------------------


def test_a_client_that_cannot_be_pickled_stays_behind_and_is_said_once(ran: Ran):
    assert ran.told["unpicklable"]["worker"] == [True, "NoOpLogger"]
    assert ran.err.count("cannot be pickled and is left out") == 1
    assert said(ran.workers("unpicklable")[0]) == ["alone without a client"]


def test_a_worker_that_cannot_write_its_folder_goes_on_in_another_and_says_so_once(ran: Ran):
    assert (ran.out + ran.err).count("cannot write the journal in /proc/nowhere") == 1
    assert "alone without a folder" in [body(record) for record in ran.sink.logs()]


def test_a_worker_with_a_wrong_setting_does_its_work_unrecorded_and_says_so_once(ran: Ran):
    assert ran.told["badly_set"]["worker"] == [True, "NoOpLogger"]
    assert (ran.out + ran.err).count("the work of this process for the job is not recorded") == 1
    assert ran.workers("badly_set") == []


def test_without_ray_everything_else_works(tmp_path):
    program = """
import sys
sys.modules["ray"] = None  # as if it were not installed
import pickle, synapse_otel
from synapse_otel.integrations.ray import worker_attributes, working
from synapse_otel.loggers import NoOpLogger
assert worker_attributes() == {}
with synapse_otel.job("train", plugin="yolo", logger=NoOpLogger()) as ctx:
    with working(pickle.loads(pickle.dumps(ctx))):
        ctx.log_message("there")
try:
    working("no context")
except TypeError as error:
    print(error)
"""
    variables = {"SYNAPSE_OTEL_JOURNAL_DIR": str(tmp_path), "SYNAPSE_OTEL_SHIPPER": "off"}
    environment = {"PYTHONPATH": ":".join(sys.path), "HOME": str(tmp_path), **variables}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "ctx must be a RuntimeContext or the context of a step, got 'no context'"
    assert len(list(run_folders(tmp_path))) == 1
