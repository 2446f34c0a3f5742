"""The console: what a plugin records, as the person who runs it sees it."""

from synapse_otel.plugins.loggers.console.logger import ConsoleLogger

__all__ = ["ConsoleLogger"]
