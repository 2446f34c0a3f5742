"""The parts of OpenTelemetry's API whose only home is a private module, taken from there in this one place.

The logs API lives in ``opentelemetry._logs`` until it is declared stable, and whether a meter or logger
provider has been set can only be told by the private proxy types. ``tests/test_otel_private.py`` holds all of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from opentelemetry import metrics, trace
from opentelemetry._logs import (
    Logger,
    LoggerProvider,
    LogRecord,
    NoOpLogger,
    SeverityNumber,
    get_logger_provider,
    set_logger_provider,
)
from opentelemetry.metrics import _Gauge as Gauge

__all__ = [
    "SDK_CLOCK",
    "Gauge",
    "LogRecord",
    "Logger",
    "LoggerProvider",
    "NoOpLogger",
    "SeverityNumber",
    "asks_whether_enabled",
    "get_logger_provider",
    "set_logger_provider",
    "unset_providers",
]

SDK_CLOCK: Final = "opentelemetry.sdk.trace"
"""The module of the SDK whose ``time_ns`` times spans that are begun and ended without a time, for tests."""
_PROXIES: Final = {"traces": "ProxyTracerProvider", "metrics": "_ProxyMeterProvider", "logs": "ProxyLoggerProvider"}


def unset_providers() -> set[str]:
    """Return which of ``traces``, ``metrics``, ``logs`` have no provider yet: theirs is still the API's proxy."""
    current = {
        "traces": trace.get_tracer_provider(),
        "metrics": metrics.get_meter_provider(),
        "logs": get_logger_provider(),
    }
    return {signal for signal, provider in current.items() if _is_proxy(type(provider), _PROXIES[signal])}


def asks_whether_enabled(tracer: Any) -> Callable[[], bool]:
    """Return what tells whether a tracer of the SDK begins spans, which its provider's configurator decides."""
    asked: Callable[[], bool] = tracer._is_enabled  # noqa: SLF001 - what this module is for
    return asked


def _is_proxy(kind: type, name: str) -> bool:
    """Return whether a class is the API's proxy of a name; Logfire's own providers have the same names."""
    return kind.__name__ == name and kind.__module__.partition(".")[0] == trace.__name__.partition(".")[0]
