"""The endpoints of the signals: the variables of the OTLP exporter specification, each signal's own first."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, FilePath
from pydantic_settings import NoDecode

from synapse_otel.otlp.destination import LONGEST_TIMEOUT_SECONDS, Destination, Endpoint, Protocol
from synapse_otel.settings.base import SettingsError, Source, absolute, boolean, loaded, lower, pairs
from synapse_otel.settings.own import Settings

DEFAULT_ENDPOINT: Final = "http://localhost:4318"
DEFAULT_GRPC_ENDPOINT: Final = "http://localhost:4317"
_COMMON: Final = ("protocol", "insecure", "compression", "certificate", "client_certificate", "client_key")


class OtlpSettings(Source):
    """The exporter's variables: one signal's (``OTEL_EXPORTER_OTLP_TRACES_...``) or all signals' without the name."""

    endpoint: str | None = None
    protocol: Annotated[Protocol | None, BeforeValidator(lower)] = None
    insecure: Annotated[bool | None, BeforeValidator(boolean)] = None
    """Whether gRPC is used without TLS, if the endpoint has neither the scheme ``http`` nor ``https``."""
    headers: Annotated[dict[str, str] | None, NoDecode, BeforeValidator(pairs)] = None
    compression: Annotated[Literal["none", "gzip"] | None, BeforeValidator(lower)] = None
    timeout: float | None = Field(default=None, ge=0)
    """In milliseconds, as in the specification; 0: no limit, which is an hour here."""
    certificate: FilePath | None = None
    client_certificate: FilePath | None = None
    client_key: FilePath | None = None


def load_destination(settings: Settings) -> Destination:
    """Return the endpoints of the signals, from the variables of the OTLP exporter specification.

    Raises:
        SettingsError: one of them is wrong.
    """
    prefix = "OTEL_EXPORTER_OTLP_"
    shared = loaded(partial(OtlpSettings, _env_prefix=prefix), prefix)
    endpoints = {}
    for signal in ("logs", "metrics", "traces"):
        of_signal = f"{prefix}{signal.upper()}_"
        own = loaded(partial(OtlpSettings, _env_prefix=of_signal), of_signal)
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
        name: str(absolute(value)) if name in paths else value for name, value in given.items() if value is not None
    }
    try:
        endpoint = Endpoint(**fields)
        return Endpoint(**fields, proxy=_proxy(endpoint))
    except ValueError as error:
        field = _FIELDS.get(str(error).partition(":")[0].partition(" ")[0], "endpoint")
        msg = f"{_set_by(field, settings, own, signal)}: {error}"
        raise SettingsError(msg) from error


def _url(settings: Settings, shared: OtlpSettings, own: OtlpSettings, signal: str, *, grpc: bool) -> str:
    """Return a signal's endpoint: its own address unchanged; over HTTP its path is appended to the common one."""
    base = settings.endpoint or shared.endpoint
    if grpc:
        return _absolute_socket(_first(settings.endpoint, own.endpoint, base, DEFAULT_GRPC_ENDPOINT))
    if own.endpoint and not settings.endpoint:
        return own.endpoint
    address, mark, query = (base or DEFAULT_ENDPOINT).partition("#")[0].partition("?")
    return f"{address.rstrip('/')}/v1/{signal}{mark}{query}"


def _absolute_socket(endpoint: str) -> str:
    """Return a gRPC endpoint whose path, if it is one of a socket, does not depend on the folder one works in."""
    scheme, _, path = endpoint.partition(":")
    return f"unix:{absolute(Path(path))}" if scheme == "unix" and path and not path.startswith("/") else endpoint


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
"""By the first word of an endpoint's error: its setting."""


def _set_by(field: str, settings: Settings, own: OtlpSettings, signal: str) -> str:
    """Return the variable that has set a part of a signal's endpoint."""
    if field == "proxy":
        return "HTTP_PROXY or HTTPS_PROXY"
    if getattr(settings, field, None) is not None:
        return f"SYNAPSE_OTEL_{field.upper()}"
    of_signal = f"{signal.upper()}_" if getattr(own, field) is not None else ""
    return f"OTEL_EXPORTER_OTLP_{of_signal}{field.upper()}"


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)
