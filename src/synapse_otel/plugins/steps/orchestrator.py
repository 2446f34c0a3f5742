"""`Orchestrator`: runs the steps of a workflow, and rolls them back when one fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic

from synapse_otel import semconv
from synapse_otel.mapping.current import current_span
from synapse_otel.mapping.exceptions import result_of
from synapse_otel.mapping.job import WorkSpan
from synapse_otel.plugins.context import RuntimeContext
from synapse_otel.plugins.steps.base import BaseStep, C, StepResult
from synapse_otel.plugins.steps.progress import PERCENT, WorkflowProgress

if TYPE_CHECKING:
    from synapse_otel.plugins.steps.registry import StepRegistry


class Orchestrator(Generic[C]):
    """Runs steps in order, each in a span of its own, and tells how far the whole has come.

    When a step fails, it and the steps before it are rolled back, the last first. What a rollback raises is recorded
    and does not keep the others from theirs. Inside a step of another workflow, the whole is that step.

    Args:
        registry: the steps.
        context: what they share.
        progress_callback: is told ``(percent, 100)`` as the whole advances by the steps' weights.
        before_step: is called with ``(name, context)`` before each step, and before it is asked whether it can be
            skipped.
    """

    def __init__(
        self,
        registry: StepRegistry[C],
        context: C,
        progress_callback: Callable[[int, int], Any] | None = None,
        before_step: Callable[[str, C], Any] | None = None,
    ) -> None:
        self._registry = registry
        self._context = context
        self._progress_callback = progress_callback
        self._before_step = before_step
        self._executed: list[tuple[BaseStep[C], StepResult]] = []

    def execute(self) -> dict[str, Any]:
        """Run the steps.

        Returns:
            ``success`` (True), ``steps_executed`` (without the skipped ones) and ``steps_total``.

        Raises:
            RuntimeError: a step failed; what it raised, if it did, is the cause.
            ValueError: a step's weight is negative or not finite; no step has run then.
        """
        steps = self._registry.get_steps()
        self._executed = []
        whole = self._whole()
        progress = WorkflowProgress(
            [step.name for step in steps],
            [step.progress_weight for step in steps],
            lambda percent: self._tell(whole, percent),
        )
        try:
            with whole.activated():
                for order, step in enumerate(steps):
                    try:
                        self._run(step, order, whole, progress)
                    finally:
                        self._leave()
                    progress.done(order)
        finally:
            self._announce(None)
        return {"success": True, "steps_executed": len(self._executed), "steps_total": len(steps)}

    # --- one step

    def _run(self, step: BaseStep[C], order: int, whole: WorkSpan, progress: WorkflowProgress) -> None:
        skipped = self._is_skipped(step, order, whole)
        scope = whole.begin_step(step.name, order=order + 1, weight=step.progress_weight, skipped=skipped)
        if skipped:
            scope.end(semconv.RESULT_SKIP)
            self._show(step, semconv.RESULT_SKIP)
            self._context.step_results.append(StepResult(skipped=True))
            return
        self._show(step, "")
        try:
            with scope.activated():
                self._enter(step, order, scope, lambda share: progress.done(order, share))
                result, raised = self._result_of(step)
        except BaseException as error:
            self._end(scope, result_of(error), error)
            self._show(step, result_of(error), str(error))
            raise
        self._end(scope, _result_word(result, raised), raised, result.error)
        self._show(step, _result_word(result, raised), result.error)
        self._context.step_results.append(result)
        self._executed.append((step, result))
        if not result.success:
            self._roll_back(order, whole, scope)
            msg = f"Step '{step.name}' failed: {result.error}"
            raise RuntimeError(msg) from raised

    def _is_skipped(self, step: BaseStep[C], order: int, whole: WorkSpan) -> bool:
        """Ask before the step's span begins: what raises here gets a span too, and a rollback of what has run."""
        self._enter(step, order, whole)
        self._announce(step.name, order=order)
        try:
            if self._before_step is not None:
                self._before_step(step.name, self._context)
            return bool(step.can_skip(self._context))
        except BaseException as error:
            scope = whole.begin_step(step.name, order=order + 1, weight=step.progress_weight)
            self._end(scope, result_of(error), error)
            if isinstance(error, Exception):
                self._roll_back(order, whole, scope)
            raise

    def _result_of(self, step: BaseStep[C]) -> tuple[StepResult, Exception | None]:
        try:
            result: Any = step.execute(self._context)
            if not hasattr(result, "success"):
                msg = f"step {step.name!r} must return a StepResult, not {result!r}"
                raise TypeError(msg)  # noqa: TRY301 - a failure like any other of the step
        except Exception as error:  # noqa: BLE001 - whatever the plugin's step raises is its failure
            return StepResult(success=False, error=str(error) or type(error).__name__), error
        return result, None

    def _end(self, scope: WorkSpan, word: str, error: BaseException | None, text: str | None = None) -> None:
        described = text if text is not None or error is None else str(error)
        products: dict[str, Any] = getattr(self._context, "products", dict)()
        scope.end(word, error=described, exception=error, products=products)

    # --- rollback

    def _roll_back(self, order: int, whole: WorkSpan, failed: WorkSpan) -> None:
        for step, result in reversed(self._executed):
            scope = whole.begin_rollback(step.name, failed=failed)
            try:
                with scope.activated():
                    self._enter(step, order, scope)
                    step.rollback(self._context, result)
            except BaseException as error:
                scope.end(result_of(error), error=str(error), exception=error)
                self._show(step, result_of(error), str(error), is_rollback=True)
                if not isinstance(error, Exception):
                    raise
                self._context.errors.append(f"Rollback failed for step '{step.name}': {error}")
            else:
                scope.end()
                self._show(step, semconv.RESULT_SUCCESS, is_rollback=True)

    # --- where records belong, and how far the whole is

    def _whole(self) -> WorkSpan:
        """Return the scope that the steps are part of, also where the runtime context is a mock."""
        scope = getattr(self._context.runtime_ctx, "scope", None)
        return scope if isinstance(scope, WorkSpan) else current_span()

    def _enter(
        self, step: BaseStep[C], order: int, scope: WorkSpan, advanced: Callable[[float], None] | None = None
    ) -> None:
        enter_step = getattr(self._context, "enter_step", None)
        if enter_step is not None:
            enter_step(step.name, order=order, scope=scope, advanced=advanced)
        self._leave_it_to_the_scope()

    def _leave(self) -> None:
        leave_step = getattr(self._context, "leave_step", None)
        if leave_step is not None:
            leave_step()
        self._leave_it_to_the_scope()

    def _announce(self, name: str | None, **order: int) -> None:
        """Say which step is next as the SDK does: before each, and None at the end of all."""
        if not hasattr(self._context, "enter_step"):  # a double, or a context of the SDK
            getattr(self._context, "_set_current_step", _nobody)(name, **order)
        getattr(self._logger(), "set_step", _nobody)(name, **order)

    def _leave_it_to_the_scope(self) -> None:
        """Have the scope alone say the category: of the step, of a rollback, of the whole between two steps."""
        logger = self._logger()
        if _records(logger):
            logger.leave_step_to_scope()

    def _logger(self) -> Any:
        """Return what records on behalf of the logger, if the runtime context is ours; else its logger, if it has one.

        By its real type: a mock that has our class as its specification is none of ours.
        """
        ctx = self._context.runtime_ctx
        own = vars(ctx).get("_logger") if issubclass(type(ctx), RuntimeContext) else None
        return getattr(ctx, "logger", None) if own is None else own

    def _show(self, step: BaseStep[C], result: str, error: str | None = None, *, is_rollback: bool = False) -> None:
        """Have a logger of ours show that a step begins, or how it or its rollback ended."""
        logger = self._logger()
        if _records(logger):
            logger.show_step(step.name, result, error, is_rollback=is_rollback)

    def _tell(self, whole: WorkSpan, percent: int) -> None:
        """Report the overall progress; as in the SDK, a double is notified only through the callback."""
        logger = self._logger()
        with whole.activated():
            if _records(logger):
                logger.set_progress(percent, PERCENT)
            else:
                whole.progress(percent, PERCENT)
            if self._progress_callback is not None:
                self._progress_callback(percent, PERCENT)


def _nobody(_name: str | None, **_order: int) -> None:
    """Stand in for who need not be told which step is next."""


def _records(logger: Any) -> bool:
    return getattr(logger, "records_signals", False) is True


def _result_word(result: StepResult, raised: Exception | None) -> str:
    if raised is not None:
        return result_of(raised)
    if not result.success:
        return semconv.RESULT_FAILURE
    return semconv.RESULT_SKIP if getattr(result, "skipped", False) else semconv.RESULT_SUCCESS
