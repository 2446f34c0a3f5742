"""Plain values of the plugin interface."""

from __future__ import annotations

from synapse_otel.plugins.models.logger import LogEntry, LogLevel, MessageLogData, ProgressData

__all__ = ["LogEntry", "LogLevel", "MessageLogData", "ProgressData"]
