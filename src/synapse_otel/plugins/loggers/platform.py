"""The names of the Synapse SDK's loggers for its platform: here they show and record, and OpenTelemetry delivers."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from synapse_otel.plugins.loggers.base import BaseLogger
from synapse_otel.plugins.loggers.console.logger import ConsoleLogger
from synapse_otel.plugins.models.logger import LogEntry, ProgressData

if TYPE_CHECKING:
    from synapse_otel.plugins.models.logger import LogLevel

_log = logging.getLogger(__name__)
_said: Final[set[str]] = set()


class LoggerBackend(Protocol):
    """What a `BackendLogger` publishes to."""

    def publish_progress(self, job_id: str, progress: ProgressData) -> None:
        """Take how far a job has come."""

    def publish_metrics(self, job_id: str, metrics: dict[str, Any]) -> None:
        """Take the last values of a category: ``{category: values}``."""

    def publish_log(self, job_id: str, log_entry: LogEntry) -> None:
        """Take an event."""


class BackendLogger(BaseLogger):
    """Records, and publishes to an object of the caller's.

    Args:
        backend: what it publishes to; None: nothing.
        job_id: what it names the job there.
    """

    def __init__(self, backend: LoggerBackend | None, job_id: str) -> None:
        super().__init__()
        self._backend = backend
        self._job_id = job_id

    def _log_impl(
        self,
        event: str,
        data: dict[str, Any],
        file: str | None,
        step: str | None,
        level: LogLevel | None = None,
    ) -> None:
        if self._backend is not None:
            self._backend.publish_log(self._job_id, LogEntry(event, data, file=file, step=step, level=level))

    def _on_progress(self, progress: ProgressData, step: str | None) -> None:
        del step
        if self._backend is not None:
            self._backend.publish_progress(self._job_id, progress)

    def _on_metrics(self, step: str, metrics: dict[str, Any]) -> None:
        if self._backend is not None:
            self._backend.publish_metrics(self._job_id, {step: dict(metrics)})


class JobLogger(ConsoleLogger):
    """Shows and records as `ConsoleLogger` does. It sends nothing to the platform, which is logged once.

    Args:
        client: the SDK's; not used.
        job_id: the SDK's; the job's own id is that of the runtime context.
        step_proportions: the steps' shares on the platform.
        **platform: settings of the SDK's delivery; not used.
    """

    def __init__(
        self, client: Any = None, job_id: str | None = None, step_proportions: Any = None, **platform: Any
    ) -> None:
        super().__init__()
        del client, job_id, platform
        self._step_proportions: dict[str, int] = dict(step_proportions or {})
        _say_once(
            "JobLogger",
            "JobLogger of synapse_otel shows and records, but sends nothing to the platform: use the Synapse "
            "SDK's JobLogger with SynapseInstrumentor for both, or ConsoleLogger (logged once)",
        )

    def set_step_proportions(self, proportions: Mapping[str, int], orders: Mapping[str, int] | None = None) -> None:
        """Keep the steps' shares; the progress of the whole comes from the weights of the steps."""
        del orders
        self._step_proportions = dict(proportions)


class TqdmLogger(ConsoleLogger):
    """The same as `ConsoleLogger`, whose bars need no tqdm."""


def _say_once(key: str, line: str) -> None:
    if key not in _said:
        _said.add(key)
        _log.warning(line)
