"""Settings that go along to a process which works for a job of this one, on this machine or another.

What is set by variables of OpenTelemetry goes along as variables: the endpoint, its headers and TLS files, attributes
of the resource. Ray's workers have the environment of their node, not that of the job. A variable that a node sets
itself, to another value than the job's process has, holds there: a folder of its own for journals, a collector of its
own.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from synapse_otel.settings.own import variables_of

_VARIABLES: Final = "os.environ"
"""Key of the variables among the settings that travel: no setting has such a name."""
_PREFIXES: Final = ("OTEL_", "SYNAPSE_OTEL_")
_STAY: Final = ("TRACEPARENT", "TRACESTATE", "WATCHED_BY", "_JOB")
"""Suffixes of the variables that describe how this process was started."""


def packed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings, by name, together with the variables that go along. They hold credentials: keep them nowhere."""
    variables = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(_PREFIXES) and not name.endswith(_STAY) and value
    }
    return {**settings, _VARIABLES: variables}


def unpacked(travelled: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the settings that hold here, and the variables that came along."""
    settings = dict(travelled)
    variables = settings.pop(_VARIABLES, {})
    for name in list(settings):
        own = next((os.environ[variable] for variable in variables_of(name) if os.environ.get(variable)), None)
        if own is not None and own not in {variables.get(variable) for variable in variables_of(name)}:
            del settings[name]
    return settings, variables
