"""Settings as variables, for a process that is started from this one."""

from __future__ import annotations

import os
from typing import Any, Final
from urllib.parse import quote

from synapse_otel.settings.own import Settings, variables_of

_OF_THIS_PROCESS: Final = frozenset({"traceparent", "tracestate", "job", "watched_by"})
"""Settings that say how this process was started."""


def handed_settings(settings: Settings) -> dict[str, Any]:
    """Return the settings that somebody has set, by name, for a process that works for this one."""
    return {name: getattr(settings, name) for name in settings.model_fields_set - _OF_THIS_PROCESS}


def as_variables(settings: Settings, *, headers: bool) -> dict[str, str]:
    """Return the same as environment variables, and with them those of OpenTelemetry that are set here.

    Args:
        settings: of this process.
        headers: whether those go along that have headers of requests: they hold credentials.
    """
    found = {name: value for name, value in os.environ.items() if name.startswith("OTEL_") and value}
    for name, value in sorted(handed_settings(settings).items()):
        for variable in variables_of(name):
            found[variable] = _text(value)
    return {name: value for name, value in found.items() if headers or not name.endswith("_HEADERS")}


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, dict):
        return ",".join(f"{name}={quote(text, safe='')}" for name, text in value.items())
    return str(int(value)) if isinstance(value, int) else str(value)
