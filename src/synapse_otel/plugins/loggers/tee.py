"""Several views of one logger: each record is made once and shown by all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_otel.plugins.loggers.base import BaseLogger
from synapse_otel.plugins.loggers.foreign import as_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from synapse_otel.plugins.models.logger import LogLevel


class TeeLogger(BaseLogger):
    """Shows everything on each of its loggers; one that fails does not keep it from the others.

    Args:
        loggers: views, in the order in which they show; a logger of another library is called by its own methods.
    """

    def __init__(self, *loggers: object) -> None:
        super().__init__()
        self._loggers = tuple(as_logger(logger) for logger in loggers)

    @property
    def loggers(self) -> tuple[BaseLogger, ...]:
        """The views."""
        return self._loggers

    def set_step(self, step: str | None, order: int | None = None) -> None:
        """Set the category of records made without one, for all views."""
        super().set_step(step, order)
        self._each(lambda logger: logger.set_step(step, order))

    def _each(self, show: Callable[[BaseLogger], None]) -> None:
        for logger in self._loggers:
            try:
                show(logger)
            except Exception as error:  # noqa: BLE001 - contained: the other views go on
                logger.contain(error)

    def _log_impl(
        self,
        event: str,
        data: dict[str, Any],
        file: str | None,
        step: str | None,
        level: LogLevel | None = None,
    ) -> None:
        self._each(lambda logger: logger._log_impl(event, dict(data), file, step, level))  # noqa: SLF001

    def show_progress(self, current: float, total: float, step: str | None) -> None:
        """Show the progress of a category on each of the loggers."""
        super().show_progress(current, total, step)
        self._each(lambda logger: logger.show_progress(current, total, step))

    def show_failed(self, step: str | None) -> None:
        """Show that the work of a category has failed on each of the loggers."""
        super().show_failed(step)
        self._each(lambda logger: logger.show_failed(step))

    def show_metrics(self, value: Mapping[str, Any], step: str) -> None:
        """Show values of a category on each of the loggers."""
        super().show_metrics(value, step)
        self._each(lambda logger: logger.show_metrics(value, step))

    def _on_step(self, step: str, result: str, error: str | None, *, is_rollback: bool) -> None:
        self._each(lambda logger: logger.show_step(step, result, error, is_rollback=is_rollback))

    def _on_finish(self) -> None:
        self._each(lambda logger: logger.finish())
