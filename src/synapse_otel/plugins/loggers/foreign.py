"""A logger of another library as a view: the Synapse SDK's own, a mock, anything with its methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from synapse_otel.plugins.loggers.base import BaseLogger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synapse_otel.plugins.models.logger import LogLevel


def as_logger(logger: object) -> BaseLogger:
    """Return ``logger`` if calling it records (ours, or a proxy of ours), else a `ForeignLogger` of it."""
    if getattr(logger, "records_signals", False) is True:
        return cast("BaseLogger", logger)
    return ForeignLogger(logger)


class ForeignLogger(BaseLogger):
    """Records what is logged, then calls the same method of a logger that does not.

    Args:
        logger: has the SDK's methods ``log``, ``set_progress``, ``set_metrics``; the others if it likes.
    """

    def __init__(self, logger: Any) -> None:
        super().__init__()
        self._logger = logger

    def set_step(self, step: str | None, order: int | None = None) -> None:
        """Set the category of records made without one, here and there."""
        super().set_step(step, order)
        set_step = getattr(self._logger, "set_step", None)
        if set_step is None:
            return
        if step is None:
            set_step(None)
        else:
            set_step(step, order=order)

    def _log_impl(
        self,
        event: str,
        data: dict[str, Any],
        file: str | None,
        step: str | None,
        level: LogLevel | None = None,
    ) -> None:
        self._logger.log(level, event, data, file, step=step)

    def show_progress(self, current: float, total: float, step: str | None) -> None:
        """Show the progress of a category there, too."""
        super().show_progress(current, total, step)
        if step is None and (self.explicit_step is not None or isinstance(_step_of(self._logger), str)):
            return  # it would take the progress of the whole for that of its current step
        self._logger.set_progress(current, total, step)

    def show_failed(self, step: str | None) -> None:
        """Show that the work of a category has failed there, too."""
        super().show_failed(step)
        self._logger.set_progress_failed(step)

    def show_metrics(self, value: Mapping[str, Any], step: str) -> None:
        """Show values of a category there, too."""
        super().show_metrics(value, step)
        self._logger.set_metrics(dict(value), step)

    def _on_finish(self) -> None:
        finish = getattr(self._logger, "finish", None)
        if finish is not None:
            finish()


def _step_of(logger: Any) -> Any:
    get_step = getattr(logger, "get_step", None)
    return None if get_step is None else get_step()
