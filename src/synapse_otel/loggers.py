"""Loggers: what shows a plugin's records to whoever runs it, at the module path of the Synapse SDK.

Every call of a logger's public methods is checked and recorded first, then shown:

- `ConsoleLogger`: coloured lines and live progress bars on a terminal, plain lines elsewhere
- `NoOpLogger`: nothing
- `TeeLogger`: several of them
- `BaseLogger`: what an own logger derives from
"""

from __future__ import annotations

from synapse_otel.plugins.loggers.base import BaseLogger
from synapse_otel.plugins.loggers.console import ConsoleLogger
from synapse_otel.plugins.loggers.noop import NoOpLogger
from synapse_otel.plugins.loggers.tee import TeeLogger
from synapse_otel.plugins.models.logger import LogEntry, MessageLogData, ProgressData

__all__ = [
    "BaseLogger",
    "ConsoleLogger",
    "LogEntry",
    "MessageLogData",
    "NoOpLogger",
    "ProgressData",
    "TeeLogger",
]
