"""How Prometheus names what it is sent: its OTLP translation ``UnderscoreEscapingWithSuffixes``."""

from __future__ import annotations

import re
from typing import Final

from synapse_otel.semconv import Metric

_NOT_A_NAME: Final = re.compile(r"[^a-zA-Z0-9]+")
_UNITS: Final = {"s": "seconds", "ms": "milliseconds", "By": "bytes", "W": "watts"}


def label(attribute: str) -> str:
    """Return an attribute's label."""
    return _NOT_A_NAME.sub("_", attribute)


def series(metric: Metric) -> tuple[str, ...]:
    """Return the names of a metric's series: one, or the three of a histogram."""
    name = label(metric.name)
    unit = _UNITS.get(metric.unit, "")
    if unit:
        name += f"_{unit}"
    if metric.instrument == "counter":
        name += "_total"
    if metric.instrument == "gauge" and metric.unit == "1":
        name += "_ratio"
    return (f"{name}_bucket", f"{name}_sum", f"{name}_count") if metric.instrument == "histogram" else (name,)
