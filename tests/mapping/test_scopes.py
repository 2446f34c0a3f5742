"""Where a record belongs, what a span keeps of it, and what an exception leaves behind."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from synapse_otel.loggers import NoOpLogger
from synapse_otel.mapping.current import current_or_none
from synapse_otel.mapping.instruments import BLOCK
from synapse_otel.mapping.job import CURRENT, LIVE
from synapse_otel.mapping.job_records import EVENT_NAME_LIMIT
from synapse_otel.mapping.metric_series import SERIES_LIMIT
from synapse_otel.mapping.start_job import JobSpec, start_job
from synapse_otel.plugins.context import RuntimeContext
from synapse_otel.semconv import event_budget as events
from synapse_otel.semconv.exceptions import STACK_LIMIT
from synapse_otel.testing import recorded_job


def bodies_by_span(job):
    """Return the messages of each span, by the span's name."""
    names = {span.span_id: span.name for _depth, span in job.recording.walk()}
    found: dict = {}
    for message in job.messages:
        found.setdefault(names[message.span_id], []).append(message.body)
    return found


def in_step(job, name, work):
    scope = job.job.root.begin_step(name, order=1, weight=1)
    with scope.activated():
        result = work()
    scope.end()
    return result


def run_in_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


# --- the events of a span --------------------------------------------------------------------------------


def test_a_span_keeps_the_first_the_last_and_the_important(synapse_job):
    ctx = synapse_job.ctx
    for number in range(300):
        ctx.log_message(f"message {number}", "danger" if number == 150 else "info")
    synapse_job.end()
    (span,) = synapse_job.spans
    kept = [event.attributes["message"] for event in span.events if event.name == "synapse.message"]
    begin, end = events.FIRST - 1, events.LAST - 1  # the job's own begin and end are among them
    assert kept[:begin] == [f"message {number}" for number in range(begin)]
    assert kept[begin] == "message 150"
    assert kept[begin + 1 :] == [f"message {number}" for number in range(300 - end, 300)]
    assert span.attributes["synapse.events.dropped"] == 302 - len(span.events)
    assert [message.body for message in synapse_job.messages] == [f"message {number}" for number in range(300)]


def test_important_ones_have_room_of_their_own_and_then_compete(synapse_job):
    for number in range(300):
        synapse_job.ctx.log_message(f"warning {number}", "warning")
    synapse_job.end()
    (span,) = synapse_job.spans
    assert len(span.events) == events.FIRST + events.IMPORTANT + events.LAST < 128
    times = [event.time for event in span.events]
    assert times == sorted(times)


def test_few_events_drop_none(synapse_job):
    synapse_job.ctx.log("one")
    synapse_job.ctx.log_dev_event("not an event of the span")
    synapse_job.end()
    (span,) = synapse_job.spans
    assert [event.name for event in span.events] == ["synapse.job.started", "one", "synapse.job.finished"]
    assert "synapse.events.dropped" not in span.attributes


def test_a_step_is_below_the_one_that_it_is_begun_on_whichever_is_current(synapse_job):
    root = synapse_job.job.root
    first, second = (root.begin_step(name, order=1, weight=1) for name in ("first", "second"))
    with second.activated():
        first.begin_step("below first", order=1, weight=1).end()
        first.begin_rollback("undone", failed=second).end()
        root.begin_step("below the job", order=1, weight=1).end()
    synapse_job.end()
    assert synapse_job.span("below first").parent_id == synapse_job.span("first").span_id
    assert synapse_job.span("rollback undone").parent_id == synapse_job.span("first").span_id
    assert synapse_job.span("below the job").parent_id == synapse_job.spans[0].span_id


# --- exceptions ------------------------------------------------------------------------------------------


def test_an_exception_is_recorded_once_in_the_innermost_scope():
    error = ValueError("bad")

    def steps(root):
        outer = root.begin_step("outer", order=1, weight=1)
        with outer.activated():
            inner = outer.begin_step("inner", order=1, weight=1)
            try:
                raise error
            except ValueError as caught:
                inner.end("failure", exception=caught)
                outer.end("failure", exception=caught)
                raise

    with pytest.raises(ValueError, match="bad") as raised, recorded_job() as job:
        steps(job.job.root)
    assert raised.value is error
    (record,) = job.recording.exceptions
    assert record.span_id == job.span("inner").span_id
    assert record.attributes["exception.type"] == "ValueError"
    assert "test_scopes.py" in record.attributes["exception.stacktrace"]
    for span in (job.span("inner"), job.span("outer"), job.spans[0]):
        assert span.failed
        assert span.attributes["error.type"] == "ValueError"
        assert span.parent_id in {"", job.spans[0].span_id, job.span("outer").span_id}
    assert job.result == "failure"


class HostileError(Exception):
    def __str__(self):
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("error", "result", "recorded"),
    [
        (KeyboardInterrupt(), "cancellation", 1),
        (asyncio.CancelledError(), "cancellation", 1),
        (TimeoutError("late"), "timeout", 1),
        (SystemExit(0), "success", 0),
        (SystemExit(None), "success", 0),
        (SystemExit(3), "failure", 1),
        (HostileError(), "failure", 1),
        (RecursionError("deep"), "failure", 1),
    ],
    ids=repr,
)
def test_what_an_exception_means(error, result, recorded):
    with pytest.raises(type(error)), recorded_job() as job:
        raise error
    assert job.result == result
    assert len(job.recording.exceptions) == recorded
    assert job.spans[0].failed is (result != "success")


def test_a_long_stack_is_cut_at_its_beginning(synapse_job):
    def deep(left):
        if left:
            deep(left - 1)
        raise ValueError("x" * 20_000)

    with pytest.raises(ValueError, match="xxx") as raised:
        deep(200)
    synapse_job.end(raised.value)
    (record,) = synapse_job.recording.exceptions
    assert len(record.attributes["exception.stacktrace"]) <= STACK_LIMIT + 100
    assert record.attributes["exception.stacktrace"].startswith("[cut]")


# --- threads, tasks, pools -------------------------------------------------------------------------------


def test_bare_threads_and_pools_belong_to_the_step_that_runs(synapse_job):
    ctx = synapse_job.ctx
    with ThreadPoolExecutor(2) as pool:
        in_step(synapse_job, "a", lambda: pool.submit(ctx.log_message, "pool a").result())
        in_step(synapse_job, "b", lambda: pool.submit(ctx.log_message, "pool b").result())
        in_step(synapse_job, "b", lambda: run_in_thread(lambda: ctx.log_message("thread b")))
        pool.submit(ctx.log_message, "between").result()
    assert bodies_by_span(synapse_job) == {
        "a": ["pool a"],
        "b": ["pool b", "thread b"],
        "test plugin": ["between"],
    }


def test_tasks_belong_to_their_own_steps(synapse_job):
    ctx = synapse_job.ctx

    async def step(name, others):
        scope = synapse_job.job.root.begin_step(name, order=1, weight=1)
        with scope.activated():
            await others.wait()
            ctx.log_message(f"task {name}")
            await asyncio.to_thread(ctx.log_message, f"thread of {name}")
        scope.end()

    async def main():
        others = asyncio.Barrier(3)
        await asyncio.gather(*(step(name, others) for name in "abc"))

    asyncio.run(main())
    assert bodies_by_span(synapse_job) == {name: [f"task {name}", f"thread of {name}"] for name in "abc"}


def test_many_threads_lose_nothing(synapse_job):
    ctx = synapse_job.ctx
    both = threading.Barrier(8)

    def work(name):
        both.wait()
        for number in range(200):
            ctx.log_message("m")
            ctx.set_metrics({"v": number}, name)
            ctx.set_progress(number + 1, 200, name)

    threads = [threading.Thread(target=work, args=(f"t{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(synapse_job.messages) == 1600
    assert all(synapse_job.samples("v", f"t{number}") == list(range(200)) for number in range(8))
    assert [synapse_job.progress[f"t{number}"].items for number in range(8)] == [200] * 8


# --- several jobs, and after the end ---------------------------------------------------------------------


def test_a_job_in_a_job_is_its_child_and_records_its_own(synapse_job):
    inner = start_job(JobSpec(action="export", plugin="coco", job_id="inner"))
    with inner.root.activated():
        current_or_none().message("inside")
    inner.end()
    synapse_job.ctx.log_message("outside")
    span = synapse_job.span("export coco")
    assert span.parent_id == synapse_job.spans[0].span_id
    assert {message.body: message.attributes["synapse.job.id"] for message in synapse_job.messages} == {
        "inside": "inner",
        "outside": synapse_job.job.id,
    }


def test_two_jobs_in_threads_keep_apart(synapse_job):
    both = threading.Barrier(2)

    def run(name):
        job = start_job(JobSpec(action="train", plugin=name, job_id=name))
        with job.root.activated():
            both.wait()
            for _ in range(50):
                current_or_none().message(name)
            both.wait()
        job.end()

    threads = [threading.Thread(target=run, args=(name,)) for name in ("left", "right")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {(message.body, message.attributes["synapse.job.id"]) for message in synapse_job.messages} == {
        ("left", "left"),
        ("right", "right"),
    }
    assert len(synapse_job.messages) == 100


def test_where_two_jobs_run_a_bare_thread_belongs_to_neither(synapse_job):
    other = start_job(JobSpec(action="export", plugin="coco"))
    found = []
    run_in_thread(lambda: found.append(current_or_none()))
    other.end()
    run_in_thread(lambda: found.append(current_or_none()))
    assert found == [None, synapse_job.job.root]


def test_a_call_after_the_end_is_no_error(synapse_job):
    ctx = RuntimeContext(NoOpLogger(), job_id=synapse_job.job.id)
    ctx._job = synapse_job.job
    synapse_job.end()
    assert synapse_job.job not in LIVE
    ctx.log_message("late")
    ctx.set_progress(1, 2, "late")
    ctx.set_metrics({"late": 1}, "late")
    ctx.log("late")
    assert synapse_job.job.end() == "success"
    assert synapse_job.messages[-1].body == "late"
    assert synapse_job.samples("late") == [1.0]
    assert len([span for _depth, span in synapse_job.recording.walk()]) == 1


def test_scopes_left_in_any_order_leave_nothing_behind(synapse_job):
    one = synapse_job.job.root.begin_step("one", order=1, weight=1)
    other = synapse_job.job.root.begin_step("other", order=2, weight=1)
    first, second = one.activated(), other.activated()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    synapse_job.end()
    assert {span.result for span in synapse_job.recording.steps} == {"success"}


def test_outside_of_any_job_a_record_is_no_error(synapse_job):
    synapse_job.end()
    token = CURRENT.set(None)
    try:
        RuntimeContext(NoOpLogger()).log_message("alone")
    finally:
        CURRENT.reset(token)
    assert synapse_job.messages[-1].body == "alone"
    assert "synapse.job.id" not in synapse_job.messages[-1].attributes


# --- bounds ----------------------------------------------------------------------------------------------


def test_names_of_events_are_counted_up_to_a_limit(synapse_job):
    for number in range(EVENT_NAME_LIMIT + 10):
        synapse_job.ctx.log(f"event {number}")
    counts = {
        text: slot.value()
        for kind, job, text, slot in BLOCK.items()
        if job == synapse_job.job.key and kind.name == "EVENTS"
    }
    assert len(counts) == EVENT_NAME_LIMIT + 1
    assert counts["_other"] == 10
    assert len(synapse_job.events) == EVENT_NAME_LIMIT + 10


def test_names_of_metrics_are_series_up_to_a_limit(synapse_job):
    synapse_job.ctx.set_metrics({f"m{number}": 1 for number in range(SERIES_LIMIT + 5)}, "c")
    assert len(synapse_job.recording.curves) == SERIES_LIMIT + 1
    assert synapse_job.samples("_other") == [1.0] * 5
