"""Loggers show a plugin's records to its user, at the module path of the Synapse SDK.

Every call of a logger's public methods is checked and recorded first, then shown:

- `ConsoleLogger`: coloured lines and live progress bars on a terminal, plain lines elsewhere
- `NoOpLogger`: nothing
- `TeeLogger`: several of them
- `BaseLogger`: what an own logger derives from
- `BackendLogger`: an object of the caller's, by ``publish_log``, ``publish_progress``, ``publish_metrics``
- `JobLogger`, `TqdmLogger`: names of the SDK for what `ConsoleLogger` does here; nothing is sent to the platform
"""

from __future__ import annotations

from synapse_otel.plugins.loggers.base import BaseLogger
from synapse_otel.plugins.loggers.console.logger import ConsoleLogger
from synapse_otel.plugins.loggers.noop import NoOpLogger
from synapse_otel.plugins.loggers.platform import BackendLogger, JobLogger, LoggerBackend, TqdmLogger
from synapse_otel.plugins.loggers.tee import TeeLogger
from synapse_otel.plugins.models.logger import LogEntry, MessageLogData, ProgressData

__all__ = [
    "BackendLogger",
    "BaseLogger",
    "ConsoleLogger",
    "JobLogger",
    "LogEntry",
    "LoggerBackend",
    "MessageLogData",
    "NoOpLogger",
    "ProgressData",
    "TeeLogger",
    "TqdmLogger",
]
