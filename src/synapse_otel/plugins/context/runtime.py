"""`RuntimeContext`: the one object through which a plugin logs, says how far it is, and reaches its clients."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from synapse_otel.mapping.current import current_span, job_of_context
from synapse_otel.mapping.job import CURRENT
from synapse_otel.mapping.propagation.inherited_job import job_outside
from synapse_otel.plugins.category import one_category, phase
from synapse_otel.plugins.context.env import PluginEnvironment
from synapse_otel.plugins.context.portable import Portable
from synapse_otel.plugins.log_messages import CommonLogMessageCode, message_text
from synapse_otel.plugins.loggers.base import BaseLogger, one_level
from synapse_otel.plugins.loggers.calls import log_event, log_message, message_data, set_metrics, set_progress
from synapse_otel.plugins.loggers.console.logger import ConsoleLogger
from synapse_otel.plugins.loggers.foreign import as_logger
from synapse_otel.plugins.models.logger import LogLevel

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from synapse_otel.mapping.job import Job, WorkSpan

_INFO = LogLevel.INFO
_LOG, _SET_PROGRESS, _SET_METRICS = BaseLogger.log, BaseLogger.set_progress, BaseLogger.set_metrics
"""The logger's methods. One that stands in place of them, an override or a patch, is called, and records by theirs."""
_current = CURRENT.get


@dataclass
class RuntimeContext(Portable):
    """What a plugin is given to run with.

    Every record belongs to the step that its thread or task is in. A thread without a context of its own (a bare
    thread, a pool's) records in the step that was begun last.

    Attributes:
        logger: shows what is logged. A logger of another library works too: what it is told is recorded.
        env: settings.
        job_id: id of the job, if the platform gave one.
        client: client of the platform.
        agent_client: client of the platform's agent.
        checkpoint: the model to start from: ``category`` (``base``, or the kind of a fine-tuned one) and ``path``.
        language: ISO 639-1 code of the language of messages; ``SYNAPSE_LANGUAGE`` if not given, else ``en``.
        v2_client: client of the platform's second interface.
    """

    logger: BaseLogger = field(default_factory=ConsoleLogger)
    env: PluginEnvironment = field(default_factory=PluginEnvironment.from_environ)
    job_id: str | None = None
    client: Any = None
    agent_client: Any = None
    checkpoint: dict[str, Any] | None = None
    language: str | None = None
    v2_client: Any = None
    _job: Job | None = field(default=None, init=False, repr=False, compare=False)
    _logger: BaseLogger = field(init=False, repr=False, compare=False)

    def __setattr__(self, name: str, value: Any) -> None:
        """Keep beside a new logger the view of it: itself, or what calls the methods of a foreign one."""
        if name == "logger":
            object.__setattr__(self, "_logger", as_logger(value))
        object.__setattr__(self, name, value)

    @property
    def client_v1(self) -> Any:
        """The same as ``client``."""
        return self.client

    @property
    def client_v2(self) -> Any:
        """The same as ``v2_client``."""
        return self.v2_client

    # --- where a record belongs

    @property
    def job(self) -> Job:
        """The job that records belong to: the one this context was made for, else the one it is used in.

        Used outside of any job, it is the one that this process was started for by `child_environment`; where there
        is none, it gets one of its own, which records without a span.
        """
        if self._job is not None:
            return self._job
        around = job_of_context()
        if around is not None and self.job_id in {None, around.id}:
            return around
        self._job = job_outside(self.job_id)
        return self._job

    @property
    def scope(self) -> WorkSpan:
        """The job or step that a record made now belongs to."""
        scope = current_span()
        job = self.job
        return scope if scope.job is job else job.current

    def _call(self, method: Callable[..., None], *arguments: Any, **named: Any) -> None:
        """Call a method of the logger with the span that the context's records belong to as the current one."""
        with self.scope.activated():
            method(*arguments, **named)

    # --- progress and metrics

    def set_progress(
        self, current: float, total: float, category: str | None = None, *, step: str | None = None
    ) -> None:
        """Set how far the job, or one phase of it, has come.

        Args:
            current: items done, 0 to ``total``.
            total: items there are, above 0.
            category: the phase; the current step if not given, the job as a whole outside of steps.
            step: the same in the newer spelling.

        Raises:
            TypeError: ``current`` or ``total`` is no number, or ``category`` and ``step`` differ.
            ValueError: ``total`` or ``current`` is out of range, or the category is empty.
        """
        if step is not None:
            category = one_category(category, step)
        method: Any = self._logger.set_progress
        if getattr(method, "__func__", None) is not _SET_PROGRESS:
            self._call(method, current, total, category)
            return
        span = _current() or current_span()
        if span.job is not self._job:
            span = self.scope
        set_progress(span, method.__self__, current, total, category)

    def set_metrics(self, value: Mapping[str, Any], category: str | None = None, *, step: str | None = None) -> None:
        """Record values, each call a sample of its own.

        Args:
            value: numbers by name; nested mappings are flattened with dots.
            category: the phase that they belong to; the current step if not given.
            step: the same in the newer spelling; the number of a training step is a value like others:
                ``{"step": 7, "loss": 0.5}``.

        Raises:
            TypeError: ``value`` is no mapping, ``step`` is a number, or ``category`` and ``step`` differ.
            ValueError: the category is empty, or there is none.
        """
        if step is not None:
            category = one_category(category, phase(step))
        method: Any = self._logger.set_metrics
        if getattr(method, "__func__", None) is not _SET_METRICS:
            self._call(method, value, category)
            return
        span = _current() or current_span()
        if span.job is not self._job:
            span = self.scope
        set_metrics(span, method.__self__, value, category)

    def log_metric(self, category: str, key: str, value: float, **metrics: Any) -> None:
        """Record a value of a category, and others with it, as one sample of each."""
        self._call(self._logger.log_metric, category, key, value, **metrics)

    # --- events and messages

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
        """Log an event.

        Args:
            event: its name.
            data: what belongs to it.
            file: path of a file that it is about.
            level: how it is meant.
            category: the phase that it belongs to; the current step if not given.
            step: the same in the newer spelling.

        Raises:
            TypeError: ``data`` is no mapping, or ``category`` and ``step`` differ.
            ValueError: an unknown level, an empty name or category.
        """
        if step is not None:
            category = one_category(category, step)
        method: Any = self._logger.log
        if getattr(method, "__func__", None) is not _LOG:
            self._call(method, level, event, data, file, category)
            return
        span = _current() or current_span()
        if span.job is not self._job:
            span = self.scope
        log_event(span, method.__self__, level, event, data, file, category)

    def log_message(
        self,
        message: Any,
        context: LogLevel | str | None = None,
        *,
        level: LogLevel | str | None = None,
        category: str | None = None,
        step: str | None = None,
        language: str | None = None,
        **arguments: Any,
    ) -> None:
        """Log a message for the user.

        Args:
            message: text; or in several languages: a mapping of language to template, an object with a method
                ``format(language, fallback_language, **arguments)``, or a registered code.
            context: how it is meant: ``info`` (default), ``success``, ``warning``, ``danger``, ``debug``, ``error``
                or ``critical``, or a `LogLevel`. A code has a level of its own.
            level: the same in the newer spelling.
            category: the phase that it belongs to; the current step if not given.
            step: the same in the newer spelling.
            language: of this message only.
            **arguments: for the ``{name}`` in the template.

        Raises:
            TypeError: the message is nothing of this, or two spellings differ.
            ValueError: an unknown context, an empty category, or an argument that the template needs is missing.
        """
        if step is not None:
            category = one_category(category, step)
        if level is not None:
            context = one_level(level, context)
        code = None
        if type(message) is not str or arguments:
            message, code, own_level = message_text(message, lambda: language or self._language(), arguments)
            context = own_level or context
        if context is None:
            context = _INFO
        method: Any = self._logger.log
        if getattr(method, "__func__", None) is not _LOG:
            self._call(method, context, "message", message_data(message, code), None, category)
            return
        span = _current() or current_span()
        if span.job is not self._job:
            span = self.scope
        log_message(span, method.__self__, message, context, category, code)

    def log_dev_event(
        self,
        message: str,
        data: Mapping[str, Any] | None = None,
        *,
        category: str | None = None,
        step: str | None = None,
    ) -> None:
        """Log something for the plugin's developers, which end users do not see.

        Args:
            message: what happened.
            data: what belongs to it.
            category: the phase that it belongs to; the current step if not given.
            step: the same in the newer spelling.

        Raises:
            TypeError: ``data`` is no mapping, or ``category`` and ``step`` differ.
            ValueError: the category is empty.
        """
        category = one_category(category, step)
        self._call(self._logger.log, LogLevel.DEBUG, "dev_event", {"message": message, "data": data}, None, category)

    def log_visualization(
        self, category: str, group: str, index: int, image: str | os.PathLike[str], **meta: Any
    ) -> None:
        """Log an image file: ``category``, ``group`` and ``index`` say where a viewer places it."""
        self._call(self._logger.log_visualization, category, group, index, image, **meta)

    def log_trials(
        self,
        data: dict[str, Any] | None = None,
        *,
        trials: dict[str, Any] | None = None,
        base: list[str] | None = None,
        hyperparameters: list[str] | None = None,
        metrics: list[str] | None = None,
        best_trial: str = "",
    ) -> None:
        """Log the state of a search for hyperparameters; `BaseLogger.log_trials` says what the arguments are."""
        columns = {"base": base, "hyperparameters": hyperparameters, "metrics": metrics}
        self._call(self._logger.log_trials, data, trials=trials, best_trial=best_trial, **columns)

    def end_log(self) -> None:
        """Say that the plugin has run to its end, and deliver what there is within the exit budget."""
        self.log_message(CommonLogMessageCode.PLUGIN_RUN_COMPLETE)
        self.job.flush()

    def _repr_html_(self) -> str:
        """Show it in a notebook: its job, its progress, the last values of its metrics."""
        from synapse_otel.plugins.context.shown import context_html

        return context_html(self._job or job_of_context(), self._logger)

    def _language(self) -> str:
        return self.language or self.env.get_str("SYNAPSE_LANGUAGE", "en") or "en"
