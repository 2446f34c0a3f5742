"""All settings: our own, and those of the OTLP exporter."""

from __future__ import annotations

from synapse_otel.settings.base import SettingsError, absolute
from synapse_otel.settings.otlp import DEFAULT_ENDPOINT, DEFAULT_GRPC_ENDPOINT, OtlpSettings, load_destination
from synapse_otel.settings.own import Settings, load_settings, variables_of
from synapse_otel.settings.passed import as_variables, handed_settings
from synapse_otel.settings.pyproject import PYPROJECT
from synapse_otel.settings.standard import check_standard_variables

__all__ = [
    "DEFAULT_ENDPOINT",
    "DEFAULT_GRPC_ENDPOINT",
    "PYPROJECT",
    "OtlpSettings",
    "Settings",
    "SettingsError",
    "absolute",
    "as_variables",
    "check_standard_variables",
    "handed_settings",
    "load_destination",
    "load_settings",
    "variables_of",
]
