"""Doubles of the runtime context in plugins' own tests: called by the signatures of the Synapse SDK."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from enum import Enum
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock, call, create_autospec, patch

import pytest

from synapse_otel.loggers import BaseLogger, NoOpLogger
from synapse_otel.plugins.context import RuntimeContext
from synapse_otel.plugins.models.logger import LogLevel
from synapse_otel.plugins.steps import BaseStep, BaseStepContext, LoggingStep, Orchestrator, StepResult
from tests.plugins.recording import context_of
from tests.plugins.workflows import fail, registry_of

NAME = "train"
CALLED = [
    call.log("saved", {"a": 1}, None, level=LogLevel.INFO),
    call.log_message("hello", LogLevel.SUCCESS, step=NAME),
    call.log_dev_event("look", {"x": 1}),
    call.set_progress(1, 2, NAME),
    call.set_metrics({"loss": 1.0}, NAME),
]
"""What `use` does, as the SDK's own step context passes it on."""


class Step(BaseStep[Any]):
    """A step that needs nothing of its context but what it is told to do with it."""

    def __init__(self, name, work=None, *, skip=False, undo=None) -> None:
        self._name, self._work, self._skip, self._undo = name, work, skip, undo

    @property
    def name(self):
        return self._name

    def can_skip(self, context):
        return self._skip

    def execute(self, context):
        if self._work:
            self._work(context)
        return StepResult()

    def rollback(self, context, result):
        if self._undo:
            self._undo(context)


def use(context):
    context.log("saved", {"a": 1})
    context.log_message("hello", "success")
    context.log_dev_event("look", {"x": 1})
    context.set_progress(1, 2)
    context.set_metrics({"loss": 1.0})


def run(double, work=use, kind=BaseStepContext, **arguments):
    context = kind(double)
    Orchestrator(registry_of(Step(NAME, work)), context, **arguments).execute()
    return context


class Calls:
    """Keeps what it is called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []


class Older(Calls):
    """The signatures of the SDK's older releases, and no more."""

    def log(self, event, data, file=None):
        self.calls.append((event, data, file))

    def log_message(self, message, context="info"):
        self.calls.append((message, context))

    def log_dev_event(self, message, data=None):
        self.calls.append((message, data))

    def set_progress(self, current, total, category=None):
        self.calls.append((current, total, category))

    def set_metrics(self, value, category):
        self.calls.append((value, category))


class Newer(Older):
    """The signatures of the SDK's newer releases."""

    def log(self, event, data, file=None, level=LogLevel.INFO):
        self.calls.append((event, data, file))
        assert level is LogLevel.INFO

    def log_message(self, message, level=LogLevel.INFO, *, context=None, language=None, step=None, **kwargs):
        assert (context, language, step, kwargs) == (None, None, NAME, {})
        self.calls.append((message, level))


@pytest.mark.parametrize("kind", [Older, Newer])
def test_a_class_with_the_sdks_signatures(recorded, kind):
    double = kind()
    run(double)
    assert double.calls == [
        ("saved", {"a": 1}, None),
        ("hello", "success"),
        ("look", {"x": 1}),
        (1, 2, NAME),
        ({"loss": 1.0}, NAME),
    ]
    assert recorded.span(NAME).attributes["synapse.step.result"] == "success"


@pytest.mark.parametrize(
    "make",
    [MagicMock, lambda: MagicMock(spec=RuntimeContext), lambda: create_autospec(RuntimeContext, instance=True)],
    ids=["any", "spec", "autospec"],
)
def test_a_mock_is_called_as_by_the_sdk_and_asked_for_nothing_else(make):
    double = make()
    run(double)
    assert [each for each in double.mock_calls if not each[0].startswith("logger")] == CALLED


def test_functions_in_a_namespace():
    calls = []
    double = SimpleNamespace(log=lambda event, data, file=None: calls.append((event, data, file)))
    run(double, lambda context: context.log("saved", {"a": 1}, file="x"))
    run(double, LoggingStep(Step("inner")).execute)
    assert [each[0] for each in calls] == ["saved", "step_start", "step_end"]


def test_a_callable_object_is_asked_for_its_signature():
    class Log(Calls):
        def __call__(self, event, data, file=None):
            self.calls.append((event, data, file))

    double = SimpleNamespace(log=Log())
    run(double, lambda context: context.log("saved", {}))
    assert double.log.calls == [("saved", {}, None)]


def test_autospec_of_an_older_context_has_its_signature():
    double = create_autospec(Older, instance=True)
    run(double)
    assert double.log.mock_calls == [call("saved", {"a": 1}, None)]
    assert double.log_message.mock_calls == [call("hello", LogLevel.SUCCESS)]


def test_a_level_reaches_a_double_and_one_that_knows_none_says_so():
    double = MagicMock()
    theirs = Enum("LogLevel", {"DANGER": "danger"}).DANGER
    run(double, lambda context: (context.log("bad", {}, level="warning"), context.log_message("bad", theirs)))
    assert double.log.mock_calls == [call("bad", {}, None, level=LogLevel.WARNING)]
    assert double.log_message.mock_calls == [call("bad", theirs, step=NAME)]
    with pytest.raises(RuntimeError, match="unexpected keyword argument 'level'"):
        run(Older(), lambda context: context.log("bad", {}, level="warning"))


def test_a_category_of_its_own_reaches_a_double_and_is_never_left_out():
    class Knows(Calls):
        def log(self, event, data, file=None, *, category=None):
            self.calls.append((event, category))

    double = MagicMock()
    run(double, lambda context: (context.log("a", {}, category="warm-up"), context.log("b", {}, category=NAME)))
    assert double.log.mock_calls == [
        call("a", {}, None, level=LogLevel.INFO, step="warm-up"),
        call("b", {}, None, level=LogLevel.INFO),
    ]
    knows = Knows()
    run(knows, lambda context: context.log("a", {}, step="warm-up"))
    assert knows.calls == [("a", "warm-up")]
    with pytest.raises(RuntimeError, match="unexpected keyword argument 'category'"):
        run(Older(), lambda context: context.log("a", {}, category="warm-up"))


def test_what_a_double_raises_is_the_steps_failure():
    double = MagicMock()
    double.log.side_effect = TypeError("mine")
    with pytest.raises(RuntimeError, match="Step 'train' failed: mine"):
        run(double, lambda context: context.log("a", {}))


def test_metrics_need_a_step_where_a_double_cannot_give_one():
    double = MagicMock()
    with pytest.raises(ValueError, match="step must be provided"):
        BaseStepContext(double).set_metrics({"loss": 1.0})
    assert double.set_metrics.mock_calls == []


def test_a_double_hears_nothing_of_the_whole_but_the_job_does(recorded):
    double, told = MagicMock(), []
    run(double, lambda context: context.set_progress(1, 2), progress_callback=lambda *progress: told.append(progress))
    assert double.set_progress.mock_calls == [call(1, 2, NAME)]
    assert told == [(50, 100), (100, 100)]
    assert recorded.progress()[""] == (100, 100)


@pytest.mark.parametrize("progress", [(1, 0), ("a", "b"), (5, 3), (-1, 3), (float("nan"), 1), (MagicMock(), 2)])
def test_progress_that_a_double_takes_does_not_fail_the_step(progress):
    told = []
    run(MagicMock(), lambda context: context.set_progress(*progress), progress_callback=lambda *p: told.append(p))
    assert told == [(100, 100)]


def test_progress_in_decimals_moves_the_whole(ctx, recorded):
    told = []
    run(ctx, lambda context: context.set_progress(Decimal(1), Decimal(2)), progress_callback=lambda *p: told.append(p))
    assert told == [(50, 100), (100, 100)]
    assert recorded.progress()[NAME] == (1, 2)


# --- overrides and patches of our own context


class Overridden(RuntimeContext):
    """A subclass with the SDK's signatures, whose calls are recorded all the same."""

    def log(self, event, data, file=None):
        super().log(event, data, file)

    def log_message(self, message, context="info"):
        super().log_message(message, context)

    def set_progress(self, current, total, category=None):
        super().set_progress(current, total, category)


def overridden_of(recorded):
    ctx = Overridden(logger=NoOpLogger(), job_id=recorded.job.id)
    ctx._job = recorded.job
    return ctx


def in_a_pool(context):
    with ThreadPoolExecutor(1) as pool:
        pool.submit(use, context).result()


def in_another_workflow(context):
    """The inner steps are current, and the outer step's context is used."""
    inner = BaseStepContext(context.runtime_ctx)
    Orchestrator(registry_of(Step("inner", lambda _: use(context))), inner).execute()


@pytest.mark.parametrize("work", [use, in_a_pool, in_another_workflow])
def test_an_override_without_a_category_records_in_the_current_step(recorded, work):
    run(overridden_of(recorded), work)
    records = [(each.event_name, each.attributes["synapse.category"]) for each in recorded.logs()]
    assert records == [("saved", NAME), ("synapse.message", NAME), ("synapse.dev_event", NAME)]
    whole = (100, 100)
    assert recorded.progress() == {NAME: whole if work is in_another_workflow else (1, 2), "": whole}


def test_a_subclass_that_leaves_out_our_init():
    class Fake(RuntimeContext):
        def __init__(self) -> None:
            self.calls = []

        def log(self, event, data, file=None):
            self.calls.append(event)

    fake = Fake()
    run(fake, lambda context: context.log("saved", {}))
    assert fake.calls == ["saved"]


def test_a_patched_method_of_a_real_context(ctx, recorded):
    with patch.object(ctx, "log") as log:
        run(ctx)
    assert log.mock_calls == [call("saved", {"a": 1}, None, level=LogLevel.INFO)]
    with patch.object(ctx, "log", wraps=ctx.log) as log:
        run(ctx)
    assert len(log.mock_calls) == 1
    saved = [each for each in recorded.logs() if each.event_name == "saved"]
    assert [each.attributes["synapse.category"] for each in saved] == [NAME]


# --- contexts of steps that are not ours


def test_a_step_context_that_has_only_what_the_sdks_has():
    class Duck:
        def __init__(self) -> None:
            self.runtime_ctx = SimpleNamespace(logger=MagicMock())
            self.step_results, self.errors, self.set = [], [], []

        def _set_current_step(self, name, order=None):
            self.set.append((name, order))

    duck = Duck()
    run(None, lambda _: None, kind=lambda _: duck)
    assert duck.set == [(NAME, 0), (None, None)]
    assert duck.runtime_ctx.logger.mock_calls == [call.set_step(NAME, order=0), call.set_step(None)]


def test_a_mock_and_none_as_contexts():
    assert run(None, lambda _: None).step_results[0].success
    step_context = MagicMock()
    run(None, kind=lambda _: step_context)
    step_context.log.assert_called_once_with("saved", {"a": 1})


# --- loggers


def a_workflow(logger, runtime_ctx):
    fails = Step("b", fail(OSError("full")))
    steps = registry_of(Step("a", use), Step("left out", skip=True), fails)
    with pytest.raises(RuntimeError):
        Orchestrator(steps, BaseStepContext(runtime_ctx)).execute()
    return logger.set_step.mock_calls


AS_THE_SDK = [call("a", order=0), call("left out", order=1), call("b", order=2), call(None)]


def test_a_logger_is_told_of_steps_as_the_sdk_tells_it(recorded):
    mock = MagicMock()
    assert a_workflow(mock, SimpleNamespace(logger=mock, log=MagicMock(), **doubled())) == AS_THE_SDK
    of_ours = MagicMock()
    assert a_workflow(of_ours, context_of(recorded.job, of_ours)) == AS_THE_SDK
    assert of_ours.set_progress.mock_calls == [call(1, 2, "a")]


def doubled():
    return {name: MagicMock() for name in ("log_message", "log_dev_event", "set_progress", "set_metrics")}


def test_an_own_logger_is_told_so_too_and_records_keep_their_steps(recorded):
    class Own(BaseLogger):
        def __init__(self) -> None:
            super().__init__()
            self.told, self.shown = [], []

        def _log_impl(self, event, data, file, step, level=None):
            self.shown.append((event, step))

        def set_step(self, step, order=None):
            self.told.append((step, order))
            super().set_step(step, order)

    own = Own()
    ctx = context_of(recorded.job, own)
    steps = registry_of(
        Step("a", lambda _: ctx.log("did"), undo=lambda _: ctx.log("undid")), Step("b", fail(OSError("full")))
    )
    with pytest.raises(RuntimeError):
        Orchestrator(steps, BaseStepContext(ctx), before_step=lambda *_: ctx.log("before")).execute()
    ctx.log("after")
    assert own.told == [("a", 0), ("b", 1), (None, None)]
    assert own.shown == [("before", "a"), ("did", "a"), ("before", "b"), ("undid", "a"), ("after", None)]
    assert recorded.progress()[""] == (50, 100)
