"""The one place of the version: the wheel and the telemetry both read it here."""

__version__ = "0.1.0"
