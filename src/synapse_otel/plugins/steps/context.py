"""`BaseStepContext`: what the steps of a workflow share, with the methods of the runtime context for their step."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sized
from contextlib import AbstractContextManager, nullcontext
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from synapse_otel.mapping.current import current_or_none
from synapse_otel.mapping.job import CURRENT
from synapse_otel.plugins.category import one_category, phase
from synapse_otel.plugins.loggers.base import one_level
from synapse_otel.plugins.models.logger import LogLevel
from synapse_otel.plugins.steps.calls import (
    LOG,
    LOG_DEV_EVENT,
    LOG_MESSAGE,
    SET_METRICS,
    is_ours,
    log_as_sdk,
    log_dev_event_as_sdk,
    log_message_as_sdk,
)
from synapse_otel.plugins.steps.progress import share_of

if TYPE_CHECKING:
    from synapse_otel.mapping.job import WorkSpan
    from synapse_otel.plugins.context import RuntimeContext
    from synapse_otel.plugins.steps.result import StepResult

_INFO = LogLevel.INFO


@dataclass
class BaseStepContext:
    """What the steps of a workflow share.

    What it records has the current step's name as category, unless another is given. In a thread without a context
    of its own it belongs to that step too.

    A runtime context that is not ours (a test's double, a mock, an override) is called by the signatures of the
    Synapse SDK, in the current step. It gets a category only if that is not the step.

    Attributes:
        runtime_ctx: what the plugin was given to run with.
        step_results: what the steps returned, in order.
        errors: what went wrong beside the steps' own results.
        current_step: name of the step that runs.
        current_step_order: its place, from 0.
        user_failure_message_emitted: whether the user has been told why the workflow failed.
    """

    PRODUCTS: ClassVar[tuple[str, ...]] = ()
    """Names of the fields that say what the workflow produced; of a list, its length does."""

    runtime_ctx: RuntimeContext
    step_results: list[StepResult] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    current_step: str | None = field(default=None, init=False)
    current_step_order: int | None = field(default=None, init=False)
    user_failure_message_emitted: bool = field(default=False, init=False)
    _scope: WorkSpan | None = field(default=None, init=False, repr=False, compare=False)
    _advanced: Callable[[float], None] | None = field(default=None, init=False, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        """Leave behind what moves the workflow's progress: it is told in the workflow's own process."""
        return {**self.__dict__, "_advanced": None}

    @property
    def client(self) -> Any:
        """Client of the platform.

        Raises:
            RuntimeError: the plugin runs without one.
        """
        if self.runtime_ctx.client is None:
            msg = "No client in runtime context"
            raise RuntimeError(msg)
        return self.runtime_ctx.client

    @property
    def logger(self) -> Any:
        """Logger of the runtime context."""
        return self.runtime_ctx.logger

    def mark_user_failure_emitted(self) -> None:
        """Note that the user has been told why the workflow failed."""
        self.user_failure_message_emitted = True

    def products(self) -> dict[str, Any]:
        """Return what the workflow has produced so far: the fields of `PRODUCTS` that differ from their defaults."""
        return products_of(self, self.PRODUCTS)

    # --- records

    def log(
        self,
        event: str,
        data: Mapping[str, Any] | None = None,
        file: str | os.PathLike[str] | None = None,
        level: LogLevel | str = _INFO,
        *,
        category: str | None = None,
        step: str | None = None,
    ) -> None:
        """Log an event; arguments and errors as of `RuntimeContext.log`."""
        category = self._category(category, step)
        log = self.runtime_ctx.log
        if is_ours(log, LOG):
            with self._in_step():
                log(event, data, file, level=level, category=category)
        else:
            with self._in_own_step():
                log_as_sdk(log, (event, data, file), level, self._unless_current(category))

    def log_message(
        self,
        message: Any,
        context: LogLevel | str | None = None,
        *,
        level: LogLevel | str | None = None,
        category: str | None = None,
        step: str | None = None,
        **arguments: Any,
    ) -> None:
        """Log a message for the user; arguments and errors as of `RuntimeContext.log_message`."""
        category = self._category(category, step)
        log_message = self.runtime_ctx.log_message
        if is_ours(log_message, LOG_MESSAGE):
            with self._in_step():
                log_message(message, context, level=level, category=category, **arguments)
        else:
            meant, other = one_level(level, context), self._unless_current(category)
            with self._in_own_step():
                log_message_as_sdk(log_message, (message, meant), arguments, other, self.current_step)

    def log_dev_event(
        self,
        message: str,
        data: Mapping[str, Any] | None = None,
        *,
        category: str | None = None,
        step: str | None = None,
    ) -> None:
        """Log something for the plugin's developers; arguments and errors as of `RuntimeContext.log_dev_event`."""
        category = self._category(category, step)
        log_dev_event = self.runtime_ctx.log_dev_event
        if is_ours(log_dev_event, LOG_DEV_EVENT):
            with self._in_step():
                log_dev_event(message, data, category=category)
        else:
            with self._in_own_step():
                log_dev_event_as_sdk(log_dev_event, message, data, self._unless_current(category))

    def set_progress(
        self, current: float, total: float, category: str | None = None, *, step: str | None = None
    ) -> None:
        """Set how far the step, or a phase with another category, has come.

        The step's own progress moves that of the workflow by the step's weight. Arguments and errors as of
        `RuntimeContext.set_progress`.
        """
        if step is not None:
            category = one_category(category, step)
        own = category is None or category == self.current_step
        if category is None:
            category = self.current_step
        with self._in_step():
            self.runtime_ctx.set_progress(current, total, category)
        if own and self._advanced is not None and (share := share_of(current, total)) is not None:
            self._advanced(share)

    def set_metrics(self, value: Mapping[str, Any], category: str | None = None, *, step: str | None = None) -> None:
        """Record values, each call a sample of its own; arguments and errors as of `RuntimeContext.set_metrics`."""
        category = self._category(category, phase(step))
        set_metrics = self.runtime_ctx.set_metrics
        if category is None and not is_ours(set_metrics, SET_METRICS):
            msg = f"step must be provided outside of a step (current_step is None), got None with value={value!r}"
            raise ValueError(msg)
        with self._in_step():
            set_metrics(value, category)

    # --- for the orchestrator

    def enter_step(
        self, name: str, *, order: int, scope: WorkSpan | None, advanced: Callable[[float], None] | None = None
    ) -> None:
        """Make a step the current one.

        Args:
            name: its name.
            order: its place, from 0.
            scope: where it records.
            advanced: is told the share of the step, 0 to 1, that is done.
        """
        self._set_current_step(name, order)
        self._scope = scope
        self._advanced = advanced

    def leave_step(self) -> None:
        """Have no current step any more."""
        self._set_current_step(None)
        self._scope = None
        self._advanced = None

    def _set_current_step(self, step_name: str | None, order: int | None = None) -> None:
        self.current_step = step_name
        self.current_step_order = order if step_name is not None else None

    def _category(self, category: str | None, step: str | None) -> str | None:
        category = one_category(category, step)
        return self.current_step if category is None else category

    def _unless_current(self, category: str | None) -> str | None:
        return None if category == self.current_step else category

    def _in_own_step(self) -> AbstractContextManager[Any]:
        """Return what makes the step current wherever it is not: it says the category of what is recorded."""
        own = self._scope
        return _HERE if own is None or CURRENT.get() is own else own.activated()

    def _in_step(self) -> AbstractContextManager[Any]:
        """Return what makes the step current where no context says so: in bare threads and thread pools."""
        own = self._scope
        if own is None:
            return _HERE
        scope = CURRENT.get()
        if scope is None:
            return _HERE if current_or_none() is own else own.activated()
        return _HERE if scope.job is own.job else own.activated()


_HERE: AbstractContextManager[None] = nullcontext()


def products_of(context: object, names: Collection[str]) -> dict[str, Any]:
    """Return the fields of a context that differ from their defaults; of a list, its length.

    Args:
        context: a dataclass' instance; anything else has produced nothing.
        names: of the fields that tell of what was produced.
    """
    if not is_dataclass(context):
        return {}
    produced: dict[str, Any] = {}
    for each in fields(context):
        if each.name in names:
            value = getattr(context, each.name)
            if value is not None and value != _default(each):
                produced[each.name] = _measure(value)
    return produced


def _default(each: Any) -> Any:
    return each.default if each.default_factory is MISSING else each.default_factory()


def _measure(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return len(value) if isinstance(value, Sized) and not isinstance(value, str | bytes | Mapping) else value
