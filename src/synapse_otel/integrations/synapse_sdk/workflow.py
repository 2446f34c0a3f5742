"""A workflow of the SDK: a span for each step and each rollback, and the progress of the whole."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, Final

import wrapt

from synapse_otel import semconv
from synapse_otel.integrations.synapse_sdk.containing import report
from synapse_otel.integrations.synapse_sdk.patches import Patches
from synapse_otel.mapping.current import current_span
from synapse_otel.mapping.exceptions import result_of
from synapse_otel.mapping.job import WorkSpan
from synapse_otel.plugins.steps.context import products_of
from synapse_otel.plugins.steps.progress import PERCENT, WorkflowProgress

ADVANCE: Final[dict[WorkSpan, Callable[[float], None]]] = {}
"""By scope of a step that runs: is told which share of it is done, for the progress of the whole."""


def instrument_workflows(module: ModuleType, patches: Patches) -> None:
    """Record the steps that an orchestrator of ``synapse_sdk.plugins.steps.orchestrator`` runs."""
    patches.replace(module.Orchestrator, "execute", _executing)


def _executing(original: Any) -> Any:
    @functools.wraps(original)
    def execute(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            registry = self._registry
            self._registry = _Registry(registry, _Workflow(self, registry.get_steps()))
        except Exception as error:  # noqa: BLE001 - nothing of ours ever raises into the SDK
            report(error)
            return original(self, *args, **kwargs)
        try:
            return original(self, *args, **kwargs)
        finally:
            self._registry = registry

    return execute


class _Workflow:
    """What the steps of an orchestrator have in common."""

    def __init__(self, orchestrator: Any, steps: Sequence[Any]) -> None:
        self._context = orchestrator._context  # noqa: SLF001 - the SDK keeps it there in all its versions
        self.whole = current_span()
        self.failed: WorkSpan | None = None
        shares = [float(step.progress_proportion) for step in steps]
        if not any(shares):
            shares = [float(step.progress_weight) for step in steps]
        is_outermost = self.whole.name is None
        self._progress = WorkflowProgress(
            [step.name for step in steps], shares, self._tell if is_outermost else lambda _percent: None
        )

    def begin(self, step: _Step, *, skipped: bool = False) -> WorkSpan:
        """Begin a step."""
        order = step._self_order  # noqa: SLF001 - where wrapt keeps what is not the step's own
        scope = self.whole.begin_step(step.name, order=order + 1, weight=float(step.progress_weight), skipped=skipped)
        if not skipped:
            ADVANCE[scope] = lambda share: self._progress.done(order, share)
        return scope

    def end(self, step: _Step, scope: WorkSpan, word: str, error: BaseException | None, text: str | None) -> None:
        """End a step; what its context holds is what it has produced so far."""
        ADVANCE.pop(scope, None)
        described = text if text is not None or error is None else str(error)
        scope.end(word, error=described, exception=error, products=_products(self._context))
        if word in {semconv.RESULT_SUCCESS, semconv.RESULT_SKIP}:
            self._progress.done(step._self_order)  # noqa: SLF001 - as above
        else:
            self.failed = scope

    def _tell(self, percent: int) -> None:
        self.whole.progress(percent, PERCENT)


class _Registry(wrapt.ObjectProxy):  # type: ignore[type-arg] # generic in its stubs alone
    """A registry whose steps are recorded when they run."""

    def __init__(self, registry: Any, workflow: _Workflow) -> None:
        super().__init__(registry)
        self._self_workflow = workflow

    def get_steps(self) -> list[Any]:
        """Return the steps, in order."""
        steps = self.__wrapped__.get_steps()
        return [_Step(step, order, self._self_workflow) for order, step in enumerate(steps)]


class _Step(wrapt.ObjectProxy):  # type: ignore[type-arg] # generic in its stubs alone
    """A step that is recorded when it runs, and is the plugin's own in all else."""

    def __init__(self, step: Any, order: int, workflow: _Workflow) -> None:
        super().__init__(step)
        self._self_order = order
        self._self_workflow = workflow

    def can_skip(self, context: Any) -> Any:
        """Ask the step whether it can be skipped."""
        skips = self.__wrapped__.can_skip(context)
        if skips:
            scope = self._begin(skipped=True)
            self._end(scope, semconv.RESULT_SKIP)
        return skips

    def execute(self, context: Any) -> Any:
        """Run the step in a span of its own."""
        scope = self._begin()
        try:
            if scope is None:
                return self.__wrapped__.execute(context)
            with scope.activated():
                result = self.__wrapped__.execute(context)
        except BaseException as error:
            self._end(scope, result_of(error), error)
            raise
        self._end(scope, _word_of(result), None, getattr(result, "error", None))
        return result

    def rollback(self, context: Any, result: Any) -> Any:
        """Roll the step back in a span of its own."""
        scope = self._begin_rollback()
        try:
            if scope is None:
                return self.__wrapped__.rollback(context, result)
            with scope.activated():
                value = self.__wrapped__.rollback(context, result)
        except BaseException as error:
            self._end_rollback(scope, error)
            raise
        self._end_rollback(scope, None)
        return value

    # --- what fails here is held back: the step runs all the same

    def _begin(self, *, skipped: bool = False) -> WorkSpan | None:
        try:
            return self._self_workflow.begin(self, skipped=skipped)
        except Exception as error:  # noqa: BLE001 - nothing of ours ever raises into the SDK
            report(error)
            return None

    def _end(
        self, scope: WorkSpan | None, word: str, raised: BaseException | None = None, text: str | None = None
    ) -> None:
        try:
            if scope is not None:
                self._self_workflow.end(self, scope, word, raised, text)
        except Exception as error:  # noqa: BLE001 - as above
            report(error)

    def _begin_rollback(self) -> WorkSpan | None:
        workflow = self._self_workflow
        try:
            return workflow.whole.begin_rollback(self.name, failed=workflow.failed or workflow.whole)
        except Exception as error:  # noqa: BLE001 - as above
            report(error)
            return None

    def _end_rollback(self, scope: WorkSpan | None, raised: BaseException | None) -> None:
        try:
            if scope is not None and raised is not None:
                scope.end(result_of(raised), error=str(raised), exception=raised)
            elif scope is not None:
                scope.end()
        except Exception as error:  # noqa: BLE001 - as above
            report(error)


def _word_of(result: Any) -> str:
    if not getattr(result, "success", True):
        return semconv.RESULT_FAILURE
    return semconv.RESULT_SKIP if getattr(result, "skipped", False) else semconv.RESULT_SUCCESS


def _products(context: Any) -> dict[str, Any]:
    """Return what a workflow has produced, by the fields that our own context of the same name tells of."""
    known = _known_products()
    names = next((known[each.__name__] for each in type(context).__mro__ if each.__name__ in known), ())
    return products_of(context, names)


@functools.cache
def _known_products() -> dict[str, tuple[str, ...]]:
    from synapse_otel.plugins.actions.export import ExportContext
    from synapse_otel.plugins.actions.inference import DeploymentContext, InferenceContext
    from synapse_otel.plugins.actions.to_task import ToTaskContext
    from synapse_otel.plugins.actions.train import TrainContext
    from synapse_otel.plugins.actions.upload import UploadContext

    ours = (TrainContext, ExportContext, UploadContext, InferenceContext, DeploymentContext, ToTaskContext)
    return {each.__name__: each.PRODUCTS for each in ours}
