"""`BaseLogger`: every way of logging, for callers that have a logger and no context."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar

from synapse_otel.mapping.current import current_span
from synapse_otel.mapping.job import CURRENT
from synapse_otel.plugins.category import one_category, phase
from synapse_otel.plugins.loggers import calls
from synapse_otel.plugins.loggers.view import View
from synapse_otel.plugins.models.logger import LogLevel, level_named
from synapse_otel.semconv import EVENT_VISUALIZATION


class BaseLogger(View):
    """A logger of progress, metrics and events.

    The public methods record in the current scope and then call the hooks ``_log_impl``, ``_on_progress``,
    ``_on_metrics`` and ``_on_finish``, which a subclass implements to show or send what happened. A hook that
    raises is reported once and never reaches the plugin. A call after `finish` raises `RuntimeError`.
    """

    records_signals: ClassVar[bool] = True
    """Says, also through a proxy, that calls of the public methods are recorded."""

    # --- the step that records without a category belong to

    def set_step(self, step: str | None, order: int | None = None) -> None:
        """Set the category of records made without one, in the scope that is current now.

        Args:
            step: its name; None clears it.
            order: its place in the workflow, from 0.
        """
        self.explicit_step = step
        self._current_step_order = order if step is not None else None
        self._step_scope = current_span()

    def leave_step_to_scope(self) -> None:
        """Have the current span alone say the category of what is recorded, until `set_step` is called again."""
        self._step_scope = None

    def get_step(self) -> str | None:
        """Return the step that `set_step` set last."""
        return self.explicit_step

    def get_step_order(self) -> int | None:
        """Return the place of the step that `set_step` set last."""
        return self._current_step_order

    # --- records

    def log(
        self,
        level: LogLevel | str,
        event: str,
        data: Mapping[str, Any] | None = None,
        file: str | os.PathLike[str] | None = None,
        step: str | None = None,
        *,
        category: str | None = None,
    ) -> None:
        """Log an event.

        Args:
            level: how it is meant.
            event: its name.
            data: what belongs to it.
            file: path of a file that it is about.
            step: category; the current step's if not given.
            category: the same in the older spelling.

        Raises:
            TypeError: ``data`` is no mapping, or an argument is of the wrong type.
            ValueError: an unknown level, an empty name or category.
        """
        if category is not None:
            step = one_category(category, step)
        calls.log_event(CURRENT.get() or current_span(), self, level, event, data, file, step)

    def debug(self, message: str) -> None:
        """Log a message for the plugin's developers."""
        self.log(LogLevel.DEBUG, "debug", calls.message_data(message))

    def info(self, message: str) -> None:
        """Log a message for the user."""
        self.log(LogLevel.INFO, "message", calls.message_data(message))

    def warning(self, message: str) -> None:
        """Log a warning for the user."""
        self.log(LogLevel.WARNING, "message", calls.message_data(message))

    def error(self, message: str) -> None:
        """Log an error for the user."""
        self.log(LogLevel.ERROR, "message", calls.message_data(message))

    def critical(self, message: str) -> None:
        """Log a critical error for the user."""
        self.log(LogLevel.CRITICAL, "message", calls.message_data(message))

    def log_message(
        self,
        message: str,
        level: LogLevel | str | None = None,
        *,
        context: LogLevel | str | None = None,
    ) -> None:
        """Log a message for the user; ``context`` is the older spelling of ``level``."""
        meant = one_level(level, context)
        self.log(LogLevel.INFO if meant is None else meant, "message", calls.message_data(message))

    def log_event(
        self, event: str, data: Mapping[str, Any] | None = None, file: str | os.PathLike[str] | None = None
    ) -> None:
        """Log an event of level info."""
        self.log(LogLevel.INFO, event, data, file)

    def log_visualization(
        self, category: str, group: str, index: int, image: str | os.PathLike[str], **meta: Any
    ) -> None:
        """Log an image: ``category``, ``group`` and ``index`` say where a viewer places it."""
        data = {"category": category, "group": group, "index": index, **meta}
        self.log(LogLevel.INFO, EVENT_VISUALIZATION, data, image)

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
        """Log the state of a search for hyperparameters.

        Args:
            data: the whole payload, with at least ``trials``; in place of the other arguments.
            trials: data of each trial by its id.
            base: names of the general columns.
            hyperparameters: names of the columns of hyperparameters.
            metrics: names of the columns of metrics.
            best_trial: id of the best trial so far.

        Raises:
            ValueError: ``data`` is no dictionary, or has no ``trials``.
        """
        if data is None:
            data = {
                "base": base or [],
                "trials": trials or {},
                "hyperparameters": hyperparameters or [],
                "metrics": metrics or [],
                "best_trial": best_trial,
            }
        payload: object = data
        if not isinstance(payload, Mapping) or "trials" not in payload:
            msg = f"data must be a dictionary with the key 'trials', not {data!r}"
            raise ValueError(msg)
        self.log(LogLevel.INFO, "trials", data)

    # --- progress and metrics

    def set_progress(
        self, current: float, total: float, step: str | None = None, *, category: str | None = None
    ) -> None:
        """Set how far a category has come.

        Args:
            current: items done, 0 to ``total``.
            total: items there are, above 0.
            step: category; the current step's if not given, the job's own outside of steps.
            category: the same in the older spelling.

        Raises:
            TypeError: ``current`` or ``total`` is no number.
            ValueError: ``total`` or ``current`` is out of range, or the category is empty.
        """
        if category is not None:
            step = one_category(category, step)
        calls.set_progress(CURRENT.get() or current_span(), self, current, total, step)

    def set_progress_failed(self, step: str | None = None, *, category: str | None = None) -> None:
        """Say that the work of a category has failed."""
        calls.set_progress_failed(CURRENT.get() or current_span(), self, one_category(category, step))

    def set_metrics(self, value: Mapping[str, Any], step: str | None = None, *, category: str | None = None) -> None:
        """Record values of a category, each call a sample of its own.

        Args:
            value: numbers by name; nested mappings are flattened with dots.
            step: category; the current step's if not given.
            category: the same in the older spelling.

        Raises:
            TypeError: ``value`` is no mapping, or ``step`` is a number.
            ValueError: the category is empty, or there is none.
        """
        if type(step) is not str:
            step = phase(step)
        if category is not None:
            step = one_category(category, step)
        calls.set_metrics(CURRENT.get() or current_span(), self, value, step)

    def log_metric(self, category: str, key: str, value: float, **metrics: Any) -> None:
        """Record a value of a category, and others with it: a sample of each, and for views a ``metric`` event."""
        calls.log_metric(CURRENT.get() or current_span(), self, category, key, value, metrics)

    def finish(self) -> None:
        """End the logger: what it shows is complete, and further calls raise `RuntimeError`."""
        self.is_finished = True
        try:
            self._on_finish()
        except Exception as error:  # noqa: BLE001 - contained: a view must not fail the job
            self.contain(error)


def one_level(level: LogLevel | str | None, context: LogLevel | str | None) -> LogLevel | str | None:
    """Return how a message is meant, whichever way it was spelled; None if neither was given.

    Raises:
        TypeError: both were given and differ.
    """
    if level is None or context is None:
        return context if level is None else level
    if level_named(level) is level_named(context):
        return level
    msg = f"level={level!r} and context={context!r} mean the same thing and differ: pass one of them"
    raise TypeError(msg)
