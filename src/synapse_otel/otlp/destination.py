"""Where the signals of a journal are sent to, as handed to the process that sends them.

A destination is a plain value. Who builds it decides where from: nothing here reads the environment.
"""

from __future__ import annotations

import hmac
import re
from typing import Any, Final, Literal
from urllib.parse import urlsplit, urlunsplit

import msgspec

from synapse_otel._version import __version__
from synapse_otel.otlp.endpoint import SCHEMES, is_grpc, is_http, is_loopback
from synapse_otel.semconv.signal import Signal

USER_AGENT: Final = f"synapse-otel/{__version__} OTel-OTLP-Exporter-Python"
"""What sends, as the specification has it."""
HIDDEN: Final = "***"
LONGEST_TIMEOUT_SECONDS: Final = 3600.0

_KEY_DIGITS: Final = 32
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE: Final = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f\u0100-\U0010ffff]*")
_METADATA_NAME: Final = re.compile(r"[-_.0-9A-Za-z]+")
_METADATA_VALUE: Final = re.compile(r"[ -~]*")

Protocol = Literal["grpc", "http/protobuf"]


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where one signal goes, and how. Wrong values raise `ValueError`, secrets left out of the message.

    The names are those of the OTLP exporter specification.
    """

    url: str
    """Of the signal itself, its path included: ``http://localhost:4318/v1/logs``. A user name and password in it
    are sent as basic authentication. With gRPC the path means nothing, and a target in gRPC's own naming is allowed
    too: ``collector:4317``, ``dns:///collector:4317``, ``unix:///run/collector.sock``."""
    protocol: Protocol = "http/protobuf"
    insecure: bool = False
    """No TLS. Counts for gRPC only, where the URL has neither the scheme ``http`` nor ``https``, which say it."""
    headers: dict[str, str] = {}
    compression: Literal["none", "gzip"] = "none"
    timeout_seconds: float = 10.0
    """For one request, from connecting to the last byte of the answer."""
    certificate: str | None = None
    """Path of a PEM file: the only authorities to trust. Those of the system are trusted when there is none."""
    client_certificate: str | None = None
    """Path of a PEM file, shown to servers that ask for one."""
    client_key: str | None = None
    """Path of a PEM file; not needed when the client certificate's file holds the key too."""
    proxy: str | None = None
    """URL of an HTTP proxy. Loopback addresses are never asked for through it. gRPC knows no proxy that is itself
    reached by TLS."""

    def __post_init__(self) -> None:
        """Check what would fail with every request."""
        grpc = self.protocol == "grpc"
        if not (is_grpc(self.url) if grpc else is_http(self.url)):
            kind = "an http:// or https:// address" + (", or a target of gRPC such as host:port" if grpc else "")
            raise ValueError(f"url must be {kind}, not {shown_url(self.url)!r}")
        if self.proxy is not None and not (is_http(self.proxy) and not (grpc and self.proxy.startswith("https"))):
            kind = "an http:// address" if grpc else "an http:// or https:// address"
            raise ValueError(f"proxy must be {kind}, not {shown_url(self.proxy)!r}")
        if not 0 < self.timeout_seconds <= LONGEST_TIMEOUT_SECONDS:
            raise ValueError(
                f"timeout_seconds must be above 0 and at most {LONGEST_TIMEOUT_SECONDS:g}, not {self.timeout_seconds}"
            )
        allowed = (_METADATA_NAME, _METADATA_VALUE) if grpc else (_HEADER_NAME, _HEADER_VALUE)
        for name, value in self.headers.items():
            if not (allowed[0].fullmatch(name) and allowed[1].fullmatch(value)):
                carrier = "gRPC" if grpc else "HTTP"
                raise ValueError(f"headers: {name!r}, or its value, has characters that {carrier} does not allow")
        if self.client_key and not self.client_certificate:
            raise ValueError(f"client_key {self.client_key!r} needs a client_certificate")

    @property
    def secure(self) -> bool:
        """Whether it is reached by TLS."""
        scheme = self.url.partition("://")[0].lower()
        return not self.insecure if self.protocol == "grpc" and scheme not in SCHEMES else scheme == "https"

    @property
    def needs_openssl(self) -> bool:
        """Whether Python's own OpenSSL has to be there: for TLS, also with a proxy, and for files of TLS of gRPC."""
        return self.secure or (self.proxy is not None and not self.is_local and self.proxy.lower().startswith("https"))

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine by its name, so that no proxy is asked."""
        return is_loopback(self.url)

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Return the fields for display: no header's value, no password, no query."""
        shown = []
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if name == "headers":
                value = dict.fromkeys(value, HIDDEN)
            elif name in {"url", "proxy"} and value is not None:
                value = shown_url(value)
            shown.append((name, value))
        return shown

    def __repr__(self) -> str:
        """Return the fields for display, without secrets."""
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({fields})"


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """Where the three signals go."""

    logs: Endpoint
    metrics: Endpoint
    traces: Endpoint

    def endpoint(self, signal: Signal) -> Endpoint:
        """Return where a signal goes."""
        return {Signal.LOGS: self.logs, Signal.METRICS: self.metrics, Signal.TRACES: self.traces}[signal]

    @property
    def speaks_grpc(self) -> bool:
        """Whether a signal goes over gRPC."""
        return any(self.endpoint(signal).protocol == "grpc" for signal in Signal)

    @property
    def needs_openssl(self) -> bool:
        """Whether Python's own OpenSSL has to be there for a signal."""
        return any(self.endpoint(signal).needs_openssl for signal in Signal)

    def key(self, salt: bytes) -> str:
        """Return 32 hexadecimal digits that tell destinations apart, and nothing about what they are made of.

        Args:
            salt: A secret of the user's, so that nobody can try out headers against the key.

        """
        try:
            told = _ORDERED.encode(self)
        except UnicodeEncodeError:  # paths need not be UTF-8
            told = repr(msgspec.to_builtins(self, order="sorted")).encode("utf-8", "backslashreplace")
        return hmac.digest(salt, told, "sha256").hex()[:_KEY_DIGITS]


def shown_url(url: str) -> str:
    """Return a URL as it may be shown: without user name, password, query and fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return HIDDEN
    if not parts.netloc and "@" in parts.path:
        return HIDDEN  # no URL, but it may have been meant to hold a password
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


_ORDERED: Final = msgspec.json.Encoder(order="sorted")
