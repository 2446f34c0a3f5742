"""All settings, in one class: argument, then environment, then ``[tool.synapse_otel]`` in pyproject.toml, then default.

OpenTelemetry's variables are used where they exist; ours begin with ``SYNAPSE_OTEL_``. An empty variable counts as
unset, as in the OpenTelemetry specification.
"""

from __future__ import annotations

import logging
import os
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AliasChoices, BeforeValidator, ByteSize, Field, PositiveFloat, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from synapse_otel.notices import say_once
from synapse_otel.otlp.destination import Protocol
from synapse_otel.settings.base import SettingsError, Source, absolute, loaded, lower, pairs, words
from synapse_otel.settings.pyproject import pyproject_settings

_MEBIBYTE: Final = 1 << 20
_PREFIX: Final = "SYNAPSE_OTEL_"


def _standard(variable: str) -> AliasChoices:
    """Have a setting read from a variable of OpenTelemetry's, and before it from one that begins as ours do."""
    return AliasChoices(f"{_PREFIX}{variable.removeprefix('OTEL_')}", variable)


def _state_folder() -> Path:
    """Return the user's state folder for journals (XDG Base Directory Specification)."""
    state = Path((os.environ.get("XDG_STATE_HOME") or "").strip())
    if state.is_absolute():
        return state / "synapse-otel"
    try:
        return absolute(_expanded(Path("~/.local/state"))) / "synapse-otel"
    except ValueError:
        found = _temporary_folder() / f"synapse-otel-{os.geteuid()}"
        say_once(f"HOME is not set, and the user database has no home folder: journals go to {found}")
        return found


def _temporary_folder() -> Path:
    import tempfile

    try:
        return Path(tempfile.gettempdir())
    except OSError:  # no such folder can be written: creating the journal reports it
        return Path("/tmp")  # noqa: S108 - a folder of our own below it, 0700


def _expanded(path: Path) -> Path:
    """Return a path without ``~``.

    Raises:
        ValueError: nobody says where that is: HOME is not set, and the user has no entry in the user database.
    """
    try:
        return path.expanduser()
    except RuntimeError as error:
        msg = f"{path}: {error}"
        raise ValueError(msg) from None


class Settings(Source):
    """Settings of synapse-otel."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(env_prefix=_PREFIX)

    journal_dir: Path = Field(default_factory=_state_folder)
    """Folder of all journals."""
    journal_budget: ByteSize = ByteSize(512 * _MEBIBYTE)
    """Maximum disk space of one run's journal; beyond it the oldest records are dropped and counted."""
    journal_keep: bool = False
    """Whether a run's delivered records are kept until ``journal_total_budget`` needs their space."""
    journal_kept_budget: ByteSize = ByteSize(1 << 30)
    """Maximum disk space of the delivered records of all other runs, kept to look at; the oldest run's are deleted
    first, and they never take more than half of the free space. 0: none are kept."""
    shipper: Literal["process", "thread", "off"] = "process"
    """Where the shipper runs."""
    live_spans: Literal["off", "job", "steps"] = "steps"
    """What has a marker span, sent when a job begins, and when a step is open for 5 seconds."""
    exit_timeout: float = Field(default=2.0, ge=0)
    """Maximum number of seconds that the end of a job waits for delivery."""
    host_providers: Literal["only", "also", "not"] = "only"
    """Where a job's records go if the host has set OpenTelemetry's providers: to them only, also, or not."""
    stall_timeout: PositiveFloat = 300.0
    """Seconds without progress and records after which a live job counts as stalled."""
    journal_total_budget: ByteSize = ByteSize(8 << 30)
    """Maximum disk space of all journals of a folder; beyond it the oldest records are dropped and counted."""
    journal_retention_runs: int = Field(default=1_000, ge=0)
    """Maximum number of delivered runs that are kept, the newest ones."""
    journal_retention_age: PositiveFloat = 30 * 86_400.0
    """Maximum number of seconds that a delivered run is kept."""
    usage_interval: float = Field(default=5.0, ge=0, allow_inf_nan=False)
    """Seconds between two samples of a job's resource usage, taken by its shipper; 0: none."""
    self_telemetry: bool = True
    """Whether the delivery account (emitted, delivered, pending, dropped) is also sent as metrics."""
    watched_by: str | None = None
    """Token of the ``synapse-otel run`` that watches this process; it sets the variable."""
    log_level: Literal["debug", "info", "warning", "error", "critical", "off"] = "info"
    """Level from which records of Python's logging are recorded."""
    redact_keys: Annotated[tuple[str, ...], NoDecode, BeforeValidator(words)] = ()
    """Further words that mark a key as secret, separated by commas."""
    instrument: bool = False
    """Whether a new Python process instruments the Synapse SDK, and requests and httpx if OpenTelemetry's
    instrumentations of them are installed; ``synapse-otel run`` sets it."""
    native: Annotated[Literal["on", "off", "compare"], BeforeValidator(lower)] = "on"
    """Whether the compiled module is used where it is installed, from the environment alone, when a process starts;
    ``off``: all is done in Python; ``compare``, for tests: each record is encoded in both ways."""
    sdk_request_spans: bool = False
    """Whether the Synapse SDK's own requests to the platform create spans, if its HTTP client is instrumented."""
    sdk_disabled: bool = Field(default=False, validation_alias=_standard("OTEL_SDK_DISABLED"))
    """Whether recording is off."""
    metric_export_interval: PositiveFloat = Field(
        default=5_000, validation_alias=_standard("OTEL_METRIC_EXPORT_INTERVAL")
    )
    """Milliseconds between two exports of the progress; samples do not wait for it."""
    run_name: str | None = None
    """Name of the run, where the job itself gives none."""
    run_tags: Annotated[tuple[str, ...], NoDecode, BeforeValidator(words), Field(max_length=64)] = ()
    """Tags of the run, separated by commas; beside those that the job itself gives."""
    run_notes: str | None = None
    """Notes about the run, where the job itself gives none."""
    traceparent: str | None = Field(default=None, validation_alias=_standard("TRACEPARENT"))
    """Trace context of the process that started this one (W3C Trace Context)."""
    tracestate: str | None = Field(default=None, validation_alias=_standard("TRACESTATE"))
    job: str | None = None
    """The job for which this process works; `child_environment()` of its parent process sets the variable."""
    endpoint: str | None = None
    """Base URL of the OTLP receiver, instead of ``OTEL_EXPORTER_OTLP_ENDPOINT``."""
    protocol: Annotated[Protocol | None, BeforeValidator(lower)] = None
    """Protocol of all requests, instead of ``OTEL_EXPORTER_OTLP_PROTOCOL``."""
    headers: Annotated[dict[str, str] | None, NoDecode, BeforeValidator(pairs)] = None
    """Headers of all requests, instead of ``OTEL_EXPORTER_OTLP_HEADERS``."""
    jaeger_url: str | None = None
    """Base URL of Jaeger's web page, to which ``synapse-otel view`` links traces, and which ``synapse-otel verify``
    asks, by default on port 16686 of this machine."""
    verify_logs_url: str = "http://127.0.0.1:9428"
    """Base URL of VictoriaLogs, which ``synapse-otel verify`` asks."""
    verify_prometheus_url: str = "http://127.0.0.1:9090"
    """Base URL of Prometheus, which ``synapse-otel verify`` asks."""
    verify_timeout: PositiveFloat = 60.0
    """Maximum number of seconds that ``synapse-otel verify`` waits for an answer."""
    verify_routed_tenants: Annotated[tuple[str, ...], NoDecode, BeforeValidator(words)] = ()
    """Tenants whose records the gateway sends to sinks of their own, separated by commas: ``synapse-otel verify`` does
    not miss them."""

    @field_validator("jaeger_url", "verify_logs_url", "verify_prometheus_url")
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
        return absolute(_expanded(value))

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
        """Return the sources of settings, in order of precedence."""
        return init_settings, env_settings, InitSettingsSource(settings_cls, init_kwargs=pyproject_settings())

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
        msg = f"unknown setting {unknown[0]}; the settings are {', '.join(sorted(Settings.model_fields))}"
        raise SettingsError(msg)
    return loaded(partial(Settings, **arguments), _PREFIX, _names())


def variables_of(field: str) -> list[str]:
    """Return the variables of a field of `Settings`, in order of precedence; the last one is its name."""
    alias = _FIELDS[field].validation_alias
    return [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else [_PREFIX + field.upper()]


_FIELDS: Final = Settings.model_fields


def _names() -> dict[str, str]:
    """Return how a setting is named, by its field, and by the variable that is looked at first, whichever was set."""
    names = {}
    for field in _FIELDS:
        first, *others = variables = variables_of(field)
        names[field] = variables[-1]
        if others:
            names[first] = next((variable for variable in variables if os.environ.get(variable)), first)
    return names
