"""Variables that OpenTelemetry's own parts read: what they would fail on is refused by name, before they see it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Final

from synapse_otel.settings.base import SettingsError

_LIMITS: Final = tuple(
    f"OTEL_{name}_LIMIT"
    for name in (
        "ATTRIBUTE_COUNT",
        "ATTRIBUTE_VALUE_LENGTH",
        "EVENT_ATTRIBUTE_COUNT",
        "LINK_ATTRIBUTE_COUNT",
        "SPAN_ATTRIBUTE_COUNT",
        "SPAN_ATTRIBUTE_VALUE_LENGTH",
        "SPAN_EVENT_COUNT",
        "SPAN_LINK_COUNT",
    )
)
_WORDS: Final = {"OTEL_METRICS_EXEMPLAR_FILTER": ("always_on", "always_off", "trace_based")}
_PARTS: Final = {
    "OTEL_PROPAGATORS": ("opentelemetry_propagator", ("none",)),
    "OTEL_PYTHON_TRACER_PROVIDER": ("opentelemetry_tracer_provider", ()),
    "OTEL_PYTHON_METER_PROVIDER": ("opentelemetry_meter_provider", ()),
    "OTEL_PYTHON_LOGGER_PROVIDER": ("opentelemetry_logger_provider", ()),
}
"""By variable: the group of entry points that it names parts of, and what it may say besides."""
STANDARD_VARIABLES: Final = (*_LIMITS, *_WORDS, *_PARTS)
"""The variables that OpenTelemetry's API and SDK read, and fail on if they are wrong."""


def check_standard_variables() -> None:
    """Check the variables that the SDK and the API read themselves.

    Raises:
        SettingsError: one of them is wrong.
    """
    problems = list(_problems())
    if problems:
        raise SettingsError("; ".join(problems))


def _problems() -> Iterator[str]:
    for name in _LIMITS:
        value = _value(name)
        if value and not (value.isascii() and value.isdigit()):
            yield f"{name}={value}: must be a whole number, 0 or more"
    for name, words in _WORDS.items():
        value = _value(name)
        if value and value not in words:
            yield f"{name}={value}: must be {', '.join(words[:-1])} or {words[-1]}"
    for name, (group, besides) in _PARTS.items():
        for part in filter(None, (one.strip() for one in _value(name).split(","))):
            if part not in besides and not entry_points(group=group, name=part):
                yield f"{name}={part}: no installed package provides it"


def _value(name: str) -> str:
    """Return a variable's value; one with only white space counts as unset."""
    return os.environ.get(name, "").strip()
