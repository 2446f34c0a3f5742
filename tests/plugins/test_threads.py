"""A record belongs to the step that its thread, task or pool is in."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from synapse_otel.loggers import NoOpLogger
from synapse_otel.mapping.job import CURRENT
from synapse_otel.mapping.start_job import JobSpec, start_job
from synapse_otel.plugins.steps import Orchestrator
from tests.plugins.recording import context_of
from tests.plugins.workflows import Shared, Step, registry_of


def in_a_thread(work):
    failures = []

    def run():
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - handed to the test
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


def categories(recorded):
    return {text: category for text, _word, category in recorded.messages()}


def test_a_bare_thread_belongs_to_the_step_that_runs(ctx, recorded):
    def work(context):
        in_a_thread(lambda: context.log_message("step context"))
        in_a_thread(lambda: context.runtime_ctx.log_message("runtime context"))
        in_a_thread(lambda: context.runtime_ctx.logger.info("logger"))
        in_a_thread(lambda: context.set_progress(1, 2))

    Orchestrator(registry_of(Step("before"), Step("load", work=work)), Shared(ctx)).execute()
    assert set(categories(recorded).values()) == {"load"}
    assert len(recorded.messages()) == 3
    assert recorded.progress()["load"] == (1, 2)
    assert {record.span_id for record in recorded.logs()} == {recorded.span("load").context.span_id}


def test_a_pool_belongs_to_the_step_that_runs(ctx, recorded):
    with ThreadPoolExecutor(4) as pool:

        def work(context):
            list(pool.map(lambda number: context.log_message(f"{context.current_step} {number}"), range(20)))

        Orchestrator(registry_of(Step("a", work=work), Step("b", work=work)), Shared(ctx)).execute()
    found = categories(recorded)
    assert len(found) == 40
    assert all(text.startswith(category) for text, category in found.items())


def test_two_workflows_side_by_side_keep_apart(recorded):
    """Each in a thread of its own, both in one job; the pools of their steps have no context."""
    both_inside = threading.Barrier(2)

    def work(context):
        both_inside.wait()
        with ThreadPoolExecutor(2) as pool:
            pool.submit(context.log_message, f"pool of {context.current_step}").result()
        context.runtime_ctx.log_message(f"thread of {context.current_step}")
        both_inside.wait()

    def workflow(name):
        shared = Shared(context_of(recorded.job, NoOpLogger()))
        with recorded.job.root.activated():
            Orchestrator(registry_of(Step(name, work=work)), shared).execute()

    threads = [threading.Thread(target=workflow, args=(name,)) for name in ("left", "right")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert categories(recorded) == {
        f"{kind} of {name}": name for kind in ("pool", "thread") for name in ("left", "right")
    }
    for record in recorded.logs():
        assert record.span_id == recorded.span(record.attributes["synapse.category"]).context.span_id


def test_tasks_keep_to_their_own_step(recorded):
    async def workflow(name, inside):
        scope = recorded.job.root.begin_step(name, order=1, weight=1)
        ctx = context_of(recorded.job, NoOpLogger())
        with scope.activated():
            await inside.wait()
            ctx.log_message(f"in {name}")
            await asyncio.to_thread(ctx.log_message, f"thread of {name}")
        scope.end()

    async def both():
        inside = asyncio.Barrier(2)
        await asyncio.gather(workflow("left", inside), workflow("right", inside))

    asyncio.run(both())
    assert categories(recorded) == {
        f"{kind} {name}": name for kind in ("in", "thread of") for name in ("left", "right")
    }


def test_a_context_of_one_job_used_inside_another_records_in_its_own(ctx, recorded):
    other = start_job(JobSpec(action="export", plugin="coco", job_id="job-2"))
    with other.root.activated():
        ctx.log_message("mine")
        ctx.set_progress(1, 2, "c")
        ctx.set_metrics({"a": 1}, "c")
        ctx.log("event")
        assert CURRENT.get() is other.root
    other.end()
    assert {record.attributes["synapse.job.id"] for record in recorded.logs()} == {"job-1"}
    assert recorded.progress() == {"c": (1, 2)}


def test_a_mistake_in_a_thread_is_raised_there(ctx):
    with pytest.raises(ValueError, match="total"):
        in_a_thread(lambda: ctx.set_progress(1, 0))
