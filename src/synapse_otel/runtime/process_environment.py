"""The one place where this process's environment is written to: for OpenTelemetry's own parts, which read it."""

from __future__ import annotations

import os
from collections.abc import Mapping

from synapse_otel.settings.standard import STANDARD_VARIABLES


def strip_standard_variables() -> None:
    """Remove white space around the values that OpenTelemetry's API and SDK read, and variables without a value.

    Some of these parts fail on either, and take no argument in place of the variable. Call it before they are loaded.
    """
    for name in STANDARD_VARIABLES:
        value = os.environ.pop(name, "").strip()
        if value:
            os.environ[name] = value


def take_variables(variables: Mapping[str, str]) -> None:
    """Set the variables that came along with a job, but for those that this process has itself."""
    for name, value in variables.items():
        if not os.environ.get(name):
            os.environ[name] = value
