"""Python, the packages that matter, and who else sets up OpenTelemetry here."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distributions, entry_points, version
from typing import Final

from synapse_otel._compiled import WHY_NOT, native
from synapse_otel._version import __version__
from synapse_otel.doctor.finding import Finding, Level
from synapse_otel.notices import Check

_PACKAGES: Final = (
    "opentelemetry-api",
    "opentelemetry-sdk",
    "opentelemetry-exporter-otlp-proto-common",
    "opentelemetry-proto",
    "opentelemetry-semantic-conventions",
    "grpcio",
    "protobuf",
    "pydantic",
    "synapse-sdk",
)
_PROVIDERS: Final = (
    "OTEL_PYTHON_TRACER_PROVIDER",
    "OTEL_PYTHON_METER_PROVIDER",
    "OTEL_PYTHON_LOGGER_PROVIDER",
    "OTEL_PYTHON_DISTRO",
)


def environment() -> Iterator[Finding]:
    """Yield what is installed."""
    found = {"synapse-otel": __version__, **{name: found for name in _PACKAGES if (found := _version(name))}}
    where = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    yield Finding(
        check=Check.ENVIRONMENT,
        about="versions",
        level=Level.OK,
        text=f"{where}; {', '.join(f'{name} {text}' for name, text in found.items())}",
        facts={"python": platform.python_version(), "executable": sys.executable, **found},
    )
    yield _compiled_module()
    instrumentations = sorted(
        name
        for found in distributions()
        if (name := found.metadata["Name"] or "").startswith("opentelemetry-instrumentation-")
    )
    if instrumentations:
        names = ", ".join(name.removeprefix("opentelemetry-instrumentation-") for name in instrumentations)
        text = f"{names}: once enabled, they record into the job's journal"
        yield Finding(check=Check.ENVIRONMENT, about="instrumentations", level=Level.OK, text=text)
    yield from _who_else()


def _compiled_module() -> Finding:
    """Return that the compiled module does the innermost work of a call, or why not."""
    if native is not None:
        text = "used: a call costs about half of what it costs without, or less"
        return Finding(check=Check.ENVIRONMENT, about="compiled module", level=Level.OK, text=text)
    text = f"not used, all is done in Python, and nothing is lost by it but time: {WHY_NOT}"
    return Finding(check=Check.ENVIRONMENT, about="compiled module", level=Level.NOTE, text=text)


def _who_else() -> Iterator[Finding]:
    """Say who may set the providers before `job()` does: then records go where that one sends them."""
    import os

    for name in _PROVIDERS:
        if os.environ.get(name):
            text = f"{os.environ[name]}: sets the providers before a job starts, and decides where records go"
            advice = (
                "SYNAPSE_OTEL_HOST_PROVIDERS=also adds the journal, =not uses the journal alone; see docs/neighbours.md"
            )
            yield Finding(check=Check.ENVIRONMENT, about=name, level=Level.WARNING, text=text, advice=advice)
    for found in entry_points(group="opentelemetry_distro"):
        text = f"{found.value}: with `opentelemetry-instrument` it sets the providers before a job starts"
        yield Finding(check=Check.ENVIRONMENT, about=f"distribution {found.name}", level=Level.NOTE, text=text)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
