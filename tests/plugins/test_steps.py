"""Workflows: order, weights, skipping, failure and rollback, and the spans that they leave."""

from __future__ import annotations

import asyncio
from unittest.mock import MagicMock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import StatusCode

from synapse_otel.loggers import NoOpLogger
from synapse_otel.plugins.steps import (
    LoggingStep,
    Orchestrator,
    StepRegistry,
    StepResult,
    TimingStep,
    ValidationStep,
)
from synapse_otel.plugins.steps.progress import WorkflowProgress
from tests.plugins.recording import context_of
from tests.plugins.workflows import Shared, Step, fail, registry_of


@pytest.fixture
def shared(ctx):
    return Shared(ctx)


def run(shared, *steps, **arguments):
    return Orchestrator(registry_of(*steps), shared, **arguments).execute()


def test_steps_run_in_order_and_are_spans(shared, recorded):
    told = []
    result = run(
        shared, Step("load", 2), Step("train", 7), Step("save", 1), progress_callback=lambda *p: told.append(p)
    )
    assert result == {"success": True, "steps_executed": 3, "steps_total": 3}
    assert shared.did == ["load", "train", "save"]
    assert [each.data["by"] for each in shared.step_results] == ["load", "train", "save"]
    assert told == [(20, 100), (90, 100), (100, 100)]
    assert recorded.progress()[""] == (100, 100)
    spans = recorded.spans()
    assert [span.name for span in spans] == ["load", "train", "save"]
    assert [span.attributes["synapse.step.order"] for span in spans] == [1, 2, 3]
    assert [span.attributes["synapse.step.weight"] for span in spans] == [2, 7, 1]
    assert {span.attributes["synapse.step.result"] for span in spans} == {"success"}
    recorded.job.end()
    assert {span.parent.span_id for span in spans} == {recorded.span("train yolo").context.span_id}
    assert (shared.current_step, shared.runtime_ctx.logger.get_step()) == (None, None)


def test_no_steps_at_all(shared):
    assert run(shared) == {"success": True, "steps_executed": 0, "steps_total": 0}


def test_a_skipped_step_is_a_span_and_counts_for_the_whole(shared, recorded):
    result = run(shared, Step("load", skip=True), Step("train"))
    assert result == {"success": True, "steps_executed": 1, "steps_total": 2}
    assert shared.did == ["train"]
    assert shared.step_results[0].skipped
    assert recorded.span("load").attributes["synapse.step.result"] == "skip"
    assert recorded.span("load").attributes["synapse.step.skipped"] is True
    assert recorded.progress()[""] == (100, 100)


def test_a_result_that_is_no_success_fails_and_rolls_back(shared, recorded):
    bad = StepResult(success=False, error="no disk")
    steps = [Step("load"), Step("skipped", skip=True), Step("train"), Step("save", work=lambda _: bad), Step("never")]
    with pytest.raises(RuntimeError, match=r"^Step 'save' failed: no disk$") as raised:
        run(shared, *steps)
    assert raised.value.__cause__ is None
    assert shared.did == ["load", "train", "save", "undo save", "undo train", "undo load"]
    assert shared.step_results[-1] is bad
    failed = recorded.span("save")
    assert failed.attributes["synapse.step.result"] == "failure"
    assert failed.attributes["synapse.step.error"] == "no disk"
    assert failed.status.status_code is StatusCode.ERROR
    rollbacks = [span for span in recorded.spans() if span.name.startswith("rollback ")]
    assert [span.name for span in rollbacks] == ["rollback save", "rollback train", "rollback load"]
    assert {span.attributes["synapse.step.phase"] for span in rollbacks} == {"rollback"}
    assert {span.links[0].context.span_id for span in rollbacks} == {failed.context.span_id}
    assert recorded.progress()[""] == (60, 100)


def test_an_exception_fails_the_step_and_is_the_cause(shared, recorded):
    error = KeyError("weights")
    with pytest.raises(RuntimeError, match="Step 'train' failed") as raised:
        run(shared, Step("train", work=fail(error)))
    assert raised.value.__cause__ is error
    assert shared.did == ["train", "undo train"]
    assert recorded.span("train").attributes["error.type"] == "KeyError"
    (record,) = [record for record in recorded.logs() if record.event_name == "exception"]
    assert record.attributes["exception.type"] == "KeyError"
    assert record.span_id == recorded.span("train").context.span_id


def test_a_timeout_is_told_apart(shared, recorded):
    with pytest.raises(RuntimeError) as raised:
        run(shared, Step("train", work=fail(TimeoutError("slow"))))
    assert recorded.span("train").attributes["synapse.step.result"] == "timeout"
    recorded.job.end(raised.value)
    assert recorded.spans()[-1].attributes["synapse.job.result"] == "timeout"


def test_a_rollback_that_raises_does_not_stop_the_others(shared, recorded):
    steps = [Step("a"), Step("b", undo=lambda *_: 1 / 0), Step("c", work=fail(ValueError("bad")))]
    with pytest.raises(RuntimeError, match="Step 'c' failed: bad"):
        run(shared, *steps)
    assert shared.did == ["a", "b", "c", "undo c", "undo b", "undo a"]
    assert shared.errors == ["Rollback failed for step 'b': division by zero"]
    assert recorded.span("rollback b").attributes["synapse.step.result"] == "failure"
    assert recorded.span("rollback a").attributes["synapse.step.result"] == "success"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), asyncio.CancelledError()])
def test_an_interruption_passes_through_without_rollback(shared, recorded, error):
    with pytest.raises(type(error)) as raised:
        run(shared, Step("a"), Step("b", work=fail(error)))
    assert raised.value is error
    assert shared.did == ["a", "b"]
    assert recorded.span("b").attributes["synapse.step.result"] == "cancellation"
    assert shared.current_step is None


def test_what_asks_whether_to_skip_may_fail_too(shared, recorded):
    error = OSError("gone")
    with pytest.raises(OSError, match="gone") as raised:
        run(shared, Step("a"), Step("b", skip=lambda: fail(error)(None)))
    assert raised.value is error
    assert shared.did == ["a", "undo a"]
    assert recorded.span("b").attributes["synapse.step.result"] == "failure"


def test_before_step_is_called_before_anything_of_the_step(shared):
    run(shared, Step("a"), Step("b"), before_step=lambda name, context: context.did.append(f"before {name}"))
    assert shared.did == ["before a", "a", "before b", "b"]


def test_a_step_that_returns_no_result_fails(shared):
    with pytest.raises(RuntimeError, match="must return a StepResult, not 5"):
        run(shared, Step("a", work=lambda _: 5))


@pytest.mark.parametrize("weight", [-1, float("nan"), float("inf"), "1", True])
def test_a_wrong_weight_is_named_before_anything_runs(shared, recorded, weight):
    with pytest.raises(ValueError, match="progress_weight of step 'b'"):
        run(shared, Step("a"), Step("b", weight))
    assert shared.did == []
    assert recorded.spans() == []


def test_a_steps_own_progress_moves_the_whole(shared, recorded):
    told = []

    def work(context):
        context.set_progress(1, 4)
        context.set_progress(1, 2, "phase")
        context.set_progress(2, 4)

    run(shared, Step("a", work=work), Step("b"), progress_callback=lambda *p: told.append(p))
    assert told == [(12, 100), (25, 100), (50, 100), (100, 100)]
    assert recorded.progress() == {"a": (2, 4), "phase": (1, 2), "": (100, 100)}


def test_a_callback_that_sets_progress_means_the_whole(shared, recorded):
    run(shared, Step("a"), Step("b"), progress_callback=shared.runtime_ctx.set_progress)
    assert recorded.progress() == {"": (100, 100)}


def test_a_workflow_inside_a_step_is_the_progress_of_that_step(shared, recorded):
    def work(context):
        run(Shared(context.runtime_ctx), Step("inner 1"), Step("inner 2"))

    run(shared, Step("outer", work=work), Step("last"))
    assert recorded.progress() == {"outer": (100, 100), "": (100, 100)}
    assert recorded.span("inner 1").parent.span_id == recorded.span("outer").context.span_id


def test_a_workflow_runs_again(shared):
    orchestrator = Orchestrator(registry_of(Step("a")), shared)
    assert orchestrator.execute() == orchestrator.execute()


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=12))
def test_the_whole_grows_to_a_hundred_whatever_the_weights(weights):
    told = []
    progress = WorkflowProgress([str(weight) for weight in weights], weights, told.append)
    for order in range(len(weights)):
        for share in (0, 0.3, 0.2, 1):
            progress.done(order, share)
    assert told == sorted(set(told))
    assert told[-1] == 100


# --- the registry


def test_the_registry_keeps_order():
    registry = registry_of(Step("a", 1), Step("c", 2))
    registry.insert_before("c", Step("b", 3))
    registry.insert_after("c", Step("d", 4))
    assert [step.name for step in registry.get_steps()] == ["a", "b", "c", "d"]
    assert (len(registry), registry.total_weight) == (4, 10)
    assert registry.get_step_orders() == {"a": 0, "b": 1, "c": 2, "d": 3}
    registry.unregister("b")
    registry.unregister("unknown")
    assert registry.get_step_orders() == {"a": 0, "c": 1, "d": 2}
    registry.get_steps().clear()
    assert len(registry) == 3
    assert not StepRegistry()


def test_an_unknown_step_is_named():
    with pytest.raises(ValueError, match="no step 'x', only 'a', 'b'"):
        registry_of(Step("a"), Step("b")).insert_after("x", Step("c"))


def test_names_may_repeat(shared):
    assert run(shared, Step("a"), Step("a"))["steps_executed"] == 2


def test_proportions_leave_out_what_has_none():
    class Proportioned(Step):
        @property
        def progress_proportion(self):
            return 30

    assert registry_of(Step("a"), Proportioned("b"), LoggingStep(Proportioned("c"))).get_step_proportions() == {
        "b": 30,
        "logged_c": 30,
    }


# --- steps around steps


def test_a_logged_step(shared, recorded):
    with pytest.raises(RuntimeError):
        run(shared, LoggingStep(Step("a")), LoggingStep(Step("b", work=lambda _: StepResult(success=False))))
    events = [(record.event_name, record.attributes["synapse.data.step"]) for record in recorded.logs()]
    assert events == [
        ("step_start", "a"), ("step_end", "a"), ("step_start", "b"), ("step_end", "b"),
        ("step_rollback", "b"), ("step_rollback", "a"),
    ]  # fmt: skip


def test_a_timed_step(shared):
    run(shared, TimingStep(Step("a", skip=False)), TimingStep(Step("b", skip=True)))
    assert shared.step_results[0].data["duration_seconds"] >= 0
    assert shared.step_results[1].skipped


def test_a_validation(shared):
    run(shared, ValidationStep(lambda context: (context.did == [], None)))
    with pytest.raises(RuntimeError, match="Step 'check' failed: no data"):
        run(shared, ValidationStep(lambda _: (False, "no data"), name="check"))


# --- what records in a step belong to


def test_records_in_a_step_have_its_name(shared, recorded):
    def work(context):
        context.set_progress(1, 2)
        context.set_metrics({"loss": 1.0})
        context.set_metrics({"loss": 2.0}, "val")
        context.log("event")
        context.log_message("mine", "success")
        context.log_message("other", step="elsewhere")
        context.runtime_ctx.log_message("by the runtime context")
        context.runtime_ctx.logger.info("by the logger")

    run(shared, Step("train it", work=work))
    assert recorded.progress() == {"train it": (1, 2), "": (100, 100)}
    assert recorded.samples == [("train it", "loss", 1.0), ("val", "loss", 2.0)]
    assert recorded.messages() == [
        ("mine", "success", "train it"),
        ("other", "info", "elsewhere"),
        ("by the runtime context", "info", "train it"),
        ("by the logger", "info", "train it"),
    ]
    assert {record.span_id for record in recorded.logs()} == {recorded.span("train it").context.span_id}


def test_a_step_context_used_without_an_orchestrator(shared, recorded):
    shared.log_message("Hello")
    shared._set_current_step("manual", 0)
    shared.set_progress(1, 2)
    shared.log_dev_event("look", {"a": 1})
    assert recorded.progress() == {"manual": (1, 2)}
    assert [record.attributes.get("synapse.category") for record in recorded.logs()] == ["train", "manual"]


def test_the_client_must_be_there(shared):
    with pytest.raises(RuntimeError, match="No client"):
        _ = shared.client
    shared.runtime_ctx.client = "client"
    assert shared.client == "client"
    assert shared.logger is shared.runtime_ctx.logger


def test_a_mock_as_runtime_context(recorded):
    shared = Shared(MagicMock())
    assert run(shared, Step("a"))["success"]
    assert recorded.span("a")


def test_a_context_outside_of_any_job(recorded):
    recorded.job.end()
    lone = Shared(context_of(type(recorded.job)("lone"), NoOpLogger()))
    assert run(lone, Step("a"), Step("b"))["steps_executed"] == 2
