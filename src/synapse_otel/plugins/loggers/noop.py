"""A logger that shows nothing; what is logged is recorded all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from synapse_otel.plugins.loggers.base import BaseLogger

if TYPE_CHECKING:
    from synapse_otel.plugins.models.logger import LogLevel


class NoOpLogger(BaseLogger):
    """Shows nothing."""

    shows_events: ClassVar[bool] = False

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Let a subclass that shows something do so."""
        super().__init_subclass__(**arguments)
        cls.shows_events = cls._log_impl is not NoOpLogger._log_impl

    def _log_impl(
        self,
        event: str,
        data: dict[str, Any],
        file: str | None,
        step: str | None,
        level: LogLevel | None = None,
    ) -> None:
        """Do nothing."""
