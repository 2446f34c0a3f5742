"""`RuntimeContext`: the one object through which a plugin logs, says how far it is, and reaches its clients."""

from __future__ import annotations

from copy import copy, deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from synapse_otel.mapping.current import current_span, job_of_context
from synapse_otel.mapping.job import CURRENT
from synapse_otel.mapping.propagation.inherited_job import job_outside
from synapse_otel.mapping.propagation.remote_job import job_to_hand_over
from synapse_otel.mapping.propagation.tasks_in_hand import hold
from synapse_otel.plugins.category import one_category
from synapse_otel.plugins.context.env import PluginEnvironment
from synapse_otel.plugins.context.portable import portable
from synapse_otel.plugins.log_messages import CommonLogMessageCode, message_text
from synapse_otel.plugins.loggers.base import BaseLogger, one_level
from synapse_otel.plugins.loggers.console.logger import ConsoleLogger
from synapse_otel.plugins.loggers.foreign import as_logger
from synapse_otel.plugins.loggers.noop import NoOpLogger
from synapse_otel.plugins.models.logger import LogLevel

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from synapse_otel.mapping.job import Job, WorkSpan

_INFO = LogLevel.INFO
_NOT_COPIED = frozenset({"_job", "_recording_logger"})


@dataclass
class RuntimeContext:
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
    _recording_logger: BaseLogger = field(init=False, repr=False, compare=False)

    def __setattr__(self, name: str, value: Any) -> None:
        """Keep beside a new logger the one to call: itself, or what records on behalf of a foreign one."""
        if name == "logger":
            object.__setattr__(self, "_recording_logger", as_logger(value))
        object.__setattr__(self, name, value)

    def __getstate__(self) -> dict[str, Any]:
        """Take the job along, so that a copy records in it too, in another process as well.

        What cannot be pickled stays behind and is said: a client is None there, and a logger one that shows nothing.
        """
        state = {name: portable(name, value) for name, value in self.__dict__.items() if name not in _NOT_COPIED}
        return {**state, "_job": job_to_hand_over(self._job, self.job_id)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take up what was handed over."""
        for name, value in state.items():
            setattr(self, name, value)
        if self.logger is None:
            self.logger = NoOpLogger()
        if self.env is None:
            self.env = PluginEnvironment.from_environ()
        hold(self, self._job)

    def __copy__(self) -> RuntimeContext:
        """Return a context with the same logger, clients and job."""
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__)
        return new

    def __deepcopy__(self, memo: dict[int, Any]) -> RuntimeContext:
        """Return a context with settings of its own; logger, clients and job are one, however often it is copied."""
        new = copy(self)
        new.env, new.checkpoint = deepcopy((self.env, self.checkpoint), memo)
        return new

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
        if (CURRENT.get() or current_span()).job is self._job:
            self._recording_logger.set_progress(current, total, category)
        else:
            with self.scope.activated():
                self._recording_logger.set_progress(current, total, category)

    def set_metrics(self, value: Mapping[str, Any], category: str | None = None, *, step: str | None = None) -> None:
        """Record values, each call a sample of its own.

        Args:
            value: numbers by name; nested mappings are flattened with dots.
            category: the phase that they belong to; the current step if not given.
            step: the same in the newer spelling.

        Raises:
            TypeError: ``value`` is no mapping, or ``category`` and ``step`` differ.
            ValueError: the category is empty, or there is none.
        """
        if step is not None:
            category = one_category(category, step)
        if (CURRENT.get() or current_span()).job is self._job:
            self._recording_logger.set_metrics(value, category)
        else:
            with self.scope.activated():
                self._recording_logger.set_metrics(value, category)

    def log_metric(self, category: str, key: str, value: float, **metrics: Any) -> None:
        """Record a value of a category, and others with it, as one sample of each."""
        with self.scope.activated():
            self._recording_logger.log_metric(category, key, value, **metrics)

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
        if (CURRENT.get() or current_span()).job is self._job:
            self._recording_logger.log(level, event, data, file, category)
        else:
            with self.scope.activated():
                self._recording_logger.log(level, event, data, file, category)

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
        if type(message) is str and not arguments:
            data = {"content": message}
        else:
            text, code, own_level = message_text(message, lambda: language or self._language(), arguments)
            data = {"content": text} if code is None else {"content": text, "key": code}
            context = own_level or context
        if context is None:
            context = _INFO
        if (CURRENT.get() or current_span()).job is self._job:
            self._recording_logger.log(context, "message", data, None, category)
        else:
            with self.scope.activated():
                self._recording_logger.log(context, "message", data, None, category)

    def log_dev_event(
        self,
        message: str,
        data: Any = None,
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
        """
        category = one_category(category, step)
        with self.scope.activated():
            shown = {"message": message, "data": data}
            self._recording_logger.log(LogLevel.DEBUG, "dev_event", shown, None, category)

    def log_visualization(
        self, category: str, group: str, index: int, image: str | os.PathLike[str], **meta: Any
    ) -> None:
        """Log an image file: ``category``, ``group`` and ``index`` say where a viewer places it."""
        with self.scope.activated():
            self._recording_logger.log_visualization(category, group, index, image, **meta)

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
        with self.scope.activated():
            self._recording_logger.log_trials(
                data,
                trials=trials,
                base=base,
                hyperparameters=hyperparameters,
                metrics=metrics,
                best_trial=best_trial,
            )

    def end_log(self) -> None:
        """Say that the plugin has run to its end, and deliver what there is within the exit budget."""
        self.log_message(CommonLogMessageCode.PLUGIN_RUN_COMPLETE)
        self.job.flush()

    def _language(self) -> str:
        return self.language or self.env.get_str("SYNAPSE_LANGUAGE", "en") or "en"
