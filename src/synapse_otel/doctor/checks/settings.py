"""What is set, where it comes from, and what was meant to be set."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from synapse_otel.doctor.finding import Finding, Level
from synapse_otel.notices import Check
from synapse_otel.otlp.destination import HIDDEN, Destination, Endpoint, shown_url
from synapse_otel.settings import PYPROJECT, OtlpSettings, Settings, absolute, variables_of

_PREFIX: Final = "SYNAPSE_OTEL_"
_OTLP: Final = "OTEL_EXPORTER_OTLP_"
_SIGNALS: Final = ("LOGS", "METRICS", "TRACES")
_INNER: Final = frozenset({"SYNAPSE_OTEL_SHIPPER_ORDERS"})
"""Set by one of our processes for another."""
_ELSEWHERE: Final = {
    "OTEL_TRACES_EXPORTER": "records go to OTLP regardless",
    "OTEL_METRICS_EXPORTER": "records go to OTLP regardless",
    "OTEL_LOGS_EXPORTER": "records go to OTLP regardless",
    "OTEL_BSP_SCHEDULE_DELAY": "there is no batch processor: the journal is shipped as it is written",
    "OTEL_BLRP_SCHEDULE_DELAY": "there is no batch processor: the journal is shipped as it is written",
}
"""Variables of the specification that change nothing here."""


def set_variables() -> Iterator[Finding]:
    """Yield the variables that are set to no avail."""
    own = {variable for field in Settings.model_fields for variable in variables_of(field)} | _INNER
    otlp = {f"{_OTLP}{field.upper()}" for field in OtlpSettings.model_fields}
    otlp |= {f"{_OTLP}{signal}_{field.upper()}" for signal in _SIGNALS for field in OtlpSettings.model_fields}
    for name in sorted(os.environ):
        for prefix, known in ((_PREFIX, own), (_OTLP, otlp)):
            if name.upper().startswith(prefix) and name.upper() not in known:
                near = difflib.get_close_matches(name.upper(), known, n=1)
                advice = f"did you mean {near[0]}?" if near else "docs/settings.md lists all settings"
                text = "is set, but no such setting exists"
                yield Finding(check=Check.SETTINGS, about=name, level=Level.WARNING, text=text, advice=advice)
        if os.environ[name] and name in _ELSEWHERE:
            yield Finding(
                check=Check.SETTINGS, about=name, level=Level.NOTE, text=f"has no effect here: {_ELSEWHERE[name]}"
            )


def settings_in_force(settings: Settings, destination: Destination) -> Iterator[Finding]:
    """Yield what is set by somebody, and where the signals go."""
    for field in sorted(settings.model_fields_set):
        value, source = _shown(field, getattr(settings, field)), _source(field)
        yield Finding(
            check=Check.SETTINGS,
            about=variables_of(field)[-1],
            level=Level.OK,
            text=f"{value}, from {source}",
            facts={"value": value, "source": source},
        )
    if settings.sdk_disabled:
        yield Finding(
            check=Check.SETTINGS,
            about="OTEL_SDK_DISABLED",
            level=Level.WARNING,
            text="nothing is recorded",
            advice="unset it, or set it to false",
        )
    if settings.shipper == "off":
        yield Finding(
            check=Check.SETTINGS,
            about="SYNAPSE_OTEL_SHIPPER",
            level=Level.WARNING,
            text="off: records stay on the disk",
            advice="run `synapse-otel ship` next to the jobs, or `synapse-otel sync` after them",
        )
    for name in ("logs", "metrics", "traces"):
        yield _destination(name, getattr(destination, name))


def _destination(name: str, endpoint: Endpoint) -> Finding:
    details = [endpoint.protocol, "TLS" if endpoint.secure else "plain text"]
    details += [endpoint.compression] if endpoint.compression != "none" else []
    details += [f"headers {', '.join(sorted(endpoint.headers))}"] if endpoint.headers else []
    details += [f"through the proxy {shown_url(endpoint.proxy)}"] if endpoint.proxy else []
    return Finding(
        check=Check.SETTINGS,
        about=f"destination of {name}",
        level=Level.OK,
        text=f"{shown_url(endpoint.url)} ({', '.join(details)})",
        facts={"url": shown_url(endpoint.url), "protocol": endpoint.protocol, "secure": endpoint.secure},
    )


def _shown(field: str, value: Any) -> str:
    if field == "headers" and isinstance(value, dict):
        return ", ".join(f"{name}={HIDDEN}" for name in value)
    if field == "endpoint":
        return shown_url(str(value))
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _source(field: str) -> str:
    names = {name.upper(): name for name in os.environ if os.environ[name]}
    found = next((names[variable] for variable in variables_of(field) if variable in names), None)
    return f"the environment ({found})" if found else str(absolute(Path(PYPROJECT)))
