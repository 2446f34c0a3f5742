"""All settings, in one class: argument, then environment, then ``[tool.synapse_otel]`` in pyproject.toml, then default.

Where OpenTelemetry has a variable, it is that one; ours begin with ``SYNAPSE_OTEL_``. A variable that is set to
nothing counts as not set, as the OpenTelemetry specification wants it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar
from urllib.parse import unquote

from pydantic import BeforeValidator, ByteSize, Field, FilePath, PositiveFloat, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    PyprojectTomlConfigSettingsSource,
    SettingsConfigDict,
)

from synapse_otel.shipper.destination import LONGEST_TIMEOUT_SECONDS, Destination, Endpoint, Protocol

DEFAULT_ENDPOINT: Final = "http://localhost:4318"
DEFAULT_GRPC_ENDPOINT: Final = "http://localhost:4317"
_MEBIBYTE: Final = 1 << 20


class SettingsError(ValueError):
    """A setting is wrong: the message names it, its value, and what is allowed."""


def _words(value: object) -> object:
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


def _pairs(value: object) -> object:
    """Read ``key=value,key=value`` as the specification of W3C Baggage has it, values percent-encoded."""
    if not isinstance(value, str):
        return value
    pairs = {}
    for entry in filter(None, (entry.strip() for entry in value.split(","))):
        name, separator, text = entry.partition("=")
        if not separator or not name.strip():
            msg = "must be key=value pairs separated by commas"
            raise ValueError(msg)
        pairs[name.strip().lower()] = unquote(text.strip())
    return pairs


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _boolean(value: object) -> object:
    """Read a boolean of the specification, which allows no other words than these."""
    if not isinstance(value, str):
        return value
    if value.strip().lower() not in {"true", "false"}:
        msg = "must be true or false"
        raise ValueError(msg)
    return value.strip().lower() == "true"


class _Source(BaseSettings):
    model_config = SettingsConfigDict(
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        populate_by_name=True,
    )


def _state_folder() -> Path:
    """Return the user's state folder for journals (XDG Base Directory Specification)."""
    state = os.environ.get("XDG_STATE_HOME")
    base = Path(state) if state and Path(state).is_absolute() else Path.home() / ".local" / "state"
    return base / "synapse-otel"


class OtlpSettings(_Source):
    """The exporter's variables: one signal's (``OTEL_EXPORTER_OTLP_TRACES_...``) or all signals' without the name."""

    endpoint: str | None = None
    protocol: Annotated[Protocol | None, BeforeValidator(_lower)] = None
    insecure: Annotated[bool | None, BeforeValidator(_boolean)] = None
    """Whether gRPC goes without TLS, where the endpoint has neither the scheme ``http`` nor ``https``."""
    headers: Annotated[dict[str, str] | None, NoDecode, BeforeValidator(_pairs)] = None
    compression: Annotated[Literal["none", "gzip"] | None, BeforeValidator(_lower)] = None
    timeout: float | None = Field(default=None, ge=0)
    """In milliseconds, as the specification says; 0: no limit, which is an hour here."""
    certificate: FilePath | None = None
    client_certificate: FilePath | None = None
    client_key: FilePath | None = None


class Settings(_Source):
    """Settings of synapse-otel."""

    model_config = SettingsConfigDict(env_prefix="SYNAPSE_OTEL_", pyproject_toml_table_header=("tool", "synapse_otel"))

    journal_dir: Path = Field(default_factory=_state_folder)
    """Folder of all journals."""
    journal_budget: ByteSize = ByteSize(512 * _MEBIBYTE)
    """What the journal of one run may take on the disk; beyond it the oldest records go, and are counted."""
    journal_keep: bool = False
    """Whether delivered segments are kept."""
    shipper: Literal["process", "thread", "off"] = "process"
    """Where the journal is delivered from."""
    live_spans: Literal["off", "job", "steps"] = "steps"
    """What shows itself as begun with a marker span."""
    exit_timeout: float = Field(default=2.0, ge=0)
    """Seconds that the end of a job waits for delivery, at most."""
    stall_timeout: PositiveFloat = 300.0
    """Seconds without progress and records after which a job that lives counts as stalled."""
    journal_total_budget: ByteSize = ByteSize(8 << 30)
    """What all journals of a folder may take on the disk together; beyond it the oldest records go, and are counted."""
    journal_retention_runs: int = Field(default=100, ge=0)
    """How many delivered runs are kept, the newest; only what tells of them, unless ``journal_keep`` is set."""
    journal_retention_age: PositiveFloat = 30 * 86_400.0
    """Seconds that a delivered run is kept at most."""
    self_telemetry: bool = True
    """Whether what was recorded, delivered, pending and dropped is told as metrics too."""
    watched_by: str | None = None
    """Token of the ``synapse-otel run`` that watches this process; it sets the variable."""
    log_level: Literal["debug", "info", "warning", "error", "critical", "off"] = "info"
    """Level from which records of Python's logging are recorded."""
    redact_keys: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)] = ()
    """Further words that make a key secret, separated by commas."""
    sdk_disabled: bool = Field(default=False, validation_alias="OTEL_SDK_DISABLED")
    """Whether nothing is recorded at all."""
    metric_export_interval: PositiveFloat = Field(default=5_000, validation_alias="OTEL_METRIC_EXPORT_INTERVAL")
    """Milliseconds between two exports of the progress; samples do not wait for it."""
    traceparent: str | None = Field(default=None, validation_alias="TRACEPARENT")
    """Trace context of the process that started this one (W3C Trace Context)."""
    tracestate: str | None = Field(default=None, validation_alias="TRACESTATE")
    endpoint: str | None = None
    """Base address of the OTLP receiver, instead of ``OTEL_EXPORTER_OTLP_ENDPOINT``."""
    protocol: Annotated[Protocol | None, BeforeValidator(_lower)] = None
    """Protocol of all requests, instead of ``OTEL_EXPORTER_OTLP_PROTOCOL``."""
    headers: Annotated[dict[str, str] | None, NoDecode, BeforeValidator(_pairs)] = None
    """Headers of all requests, instead of ``OTEL_EXPORTER_OTLP_HEADERS``."""
    jaeger_url: str | None = None
    """Base address of Jaeger's web page, which ``synapse-otel view`` links traces to."""

    @field_validator("jaeger_url")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not value.lower().startswith(("http://", "https://")):
            msg = "must begin with http:// or https://"
            raise ValueError(msg)
        return value.rstrip("/")

    @field_validator("journal_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("journal_budget")
    @classmethod
    def _enough(cls, value: ByteSize) -> ByteSize:
        if value < _LEAST_BUDGET:
            msg = f"must be at least {_LEAST_BUDGET // _MEBIBYTE}MiB"
            raise ValueError(msg)
        return value

    @classmethod
    def settings_customise_sources(  # the signature of pydantic-settings
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Say where settings come from, the first first."""
        return init_settings, env_settings, PyprojectTomlConfigSettingsSource(settings_cls)

    @property
    def logging_level(self) -> int | None:
        """The level as Python's logging has it; None for off."""
        return None if self.log_level == "off" else int(logging.getLevelNamesMapping()[self.log_level.upper()])


_LEAST_BUDGET: Final = 16 * _MEBIBYTE


def load_settings(**arguments: Any) -> Settings:
    """Return the settings.

    Raises:
        SettingsError: one of them is wrong.
    """
    unknown = sorted(set(arguments) - set(Settings.model_fields))
    if unknown:
        msg = f"unknown setting {unknown[0]}; there are {', '.join(sorted(Settings.model_fields))}"
        raise SettingsError(msg)
    return _loaded(partial(Settings, **arguments), "SYNAPSE_OTEL_")


def load_destination(settings: Settings) -> Destination:
    """Return where the signals go, from the variables of the OTLP exporter specification.

    Raises:
        SettingsError: one of them is wrong.
    """
    prefix = "OTEL_EXPORTER_OTLP_"
    shared = _loaded(partial(OtlpSettings, _env_prefix=prefix), prefix)
    endpoints = {}
    for signal in ("logs", "metrics", "traces"):
        of_signal = f"{prefix}{signal.upper()}_"
        own = _loaded(partial(OtlpSettings, _env_prefix=of_signal), of_signal)
        endpoints[signal] = _endpoint(settings, shared, own, signal)
    return Destination(**endpoints)


def _endpoint(settings: Settings, shared: OtlpSettings, own: OtlpSettings, signal: str) -> Endpoint:
    given = {name: _first(getattr(own, name), getattr(shared, name)) for name in _COMMON}
    given["protocol"] = _first(settings.protocol, given["protocol"])
    given["url"] = _url(settings, shared, own, signal, grpc=given["protocol"] == "grpc")
    timeout = _first(own.timeout, shared.timeout)
    if timeout is not None:
        given["timeout_seconds"] = timeout / 1000 or LONGEST_TIMEOUT_SECONDS
    given["headers"] = _first(settings.headers, own.headers, shared.headers)
    paths = {"certificate", "client_certificate", "client_key"}
    # The shipper's process works in another folder.
    fields: dict[str, Any] = {
        name: str(value.absolute()) if name in paths else value for name, value in given.items() if value is not None
    }
    try:
        endpoint = Endpoint(**fields)
        return Endpoint(**fields, proxy=_proxy(endpoint))
    except ValueError as error:
        field = _FIELDS.get(str(error).partition(":")[0].partition(" ")[0], "endpoint")
        msg = f"{_set_by(field, settings, own, signal)}: {error}"
        raise SettingsError(msg) from error


def _url(settings: Settings, shared: OtlpSettings, own: OtlpSettings, signal: str, *, grpc: bool) -> str:
    """Return where a signal goes: its own address as it is; over HTTP its path is added to the common one."""
    base = settings.endpoint or shared.endpoint
    if grpc:
        return _absolute_socket(_first(settings.endpoint, own.endpoint, base, DEFAULT_GRPC_ENDPOINT))
    if own.endpoint and not settings.endpoint:
        return own.endpoint
    return f"{(base or DEFAULT_ENDPOINT).rstrip('/')}/v1/{signal}"


def _absolute_socket(endpoint: str) -> str:
    """Return a gRPC endpoint whose path, if it is one of a socket, does not depend on the folder one works in."""
    scheme, _, path = endpoint.partition(":")
    return f"unix:{Path(path).absolute()}" if scheme == "unix" and path and not path.startswith("/") else endpoint


def _proxy(endpoint: Endpoint) -> str | None:
    """Return the proxy that ``HTTP_PROXY``, ``HTTPS_PROXY`` and ``NO_PROXY`` say, also in lower case, if any."""
    if endpoint.is_local or not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    from urllib.parse import urlsplit
    from urllib.request import getproxies, proxy_bypass  # loads an HTTP client, which a job seldom needs

    found = getproxies().get("https" if endpoint.secure else "http")
    host = urlsplit(endpoint.url if "://" in endpoint.url else f"//{endpoint.url}").netloc.rpartition("@")[2]
    if not found or proxy_bypass(host):
        return None
    return found if "://" in found else f"http://{found}"


_FIELDS: Final = {"headers": "headers", "timeout_seconds": "timeout", "client_key": "client_key", "proxy": "proxy"}
"""By the first word of an endpoint's error: the setting that it is about."""


def _set_by(field: str, settings: Settings, own: OtlpSettings, signal: str) -> str:
    """Return the variable that has set a part of a signal's endpoint."""
    if field == "proxy":
        return "HTTP_PROXY or HTTPS_PROXY"
    if getattr(settings, field, None) is not None:
        return f"SYNAPSE_OTEL_{field.upper()}"
    of_signal = f"{signal.upper()}_" if getattr(own, field) is not None else ""
    return f"OTEL_EXPORTER_OTLP_{of_signal}{field.upper()}"


_Loaded = TypeVar("_Loaded", bound=BaseSettings)
_COMMON: Final = ("protocol", "insecure", "compression", "certificate", "client_certificate", "client_key")


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _loaded(load: Callable[[], _Loaded], prefix: str) -> _Loaded:
    try:
        return load()
    except ValidationError as error:
        raise SettingsError(_explained(error, prefix)) from None


_ALIASES: Final = {name: field.validation_alias or name for name, field in Settings.model_fields.items()}


def _explained(error: ValidationError, prefix: str) -> str:
    lines = []
    for problem in error.errors(include_url=False, include_context=False):
        name = str(problem["loc"][0]) if problem["loc"] else "?"
        name = str(_ALIASES.get(name, name))
        variable = name if name.isupper() else f"{prefix}{name.upper()}"
        secret = "HEADERS" in variable
        value = "" if secret else f"={problem.get('input', '')!s}"
        lines.append(f"{variable}{value}: {problem['msg'].removeprefix('Value error, ')}")
    return "; ".join(lines)


__all__ = [
    "DEFAULT_ENDPOINT",
    "DEFAULT_GRPC_ENDPOINT",
    "OtlpSettings",
    "Settings",
    "SettingsError",
    "load_destination",
    "load_settings",
]
