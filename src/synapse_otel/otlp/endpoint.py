"""Addresses of OTLP receivers: what each protocol allows, and what stands in them."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import unquote, urlsplit

SCHEMES: Final = ("http", "https")
"""Schemes of URLs; they select TLS."""
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_GRPC_NAME: Final = re.compile(
    r"(dns|ipv4|ipv6|unix|unix-abstract|vsock|xds):[!-~]+|[^\s/:@]+(:\d{1,5})?|\[[0-9a-fA-F:.]+\](:\d{1,5})?"
)
"""A target of gRPC's naming: a scheme of its own, or host and port."""


_NEVER: Final = re.compile(r"[\x00-\x20\x7f]")
"""What stands in no URL; `urlsplit` leaves some of it out without a word."""


def is_http(url: str) -> bool:
    """Return whether a URL is one of HTTP, with a host."""
    if _NEVER.search(url):
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def is_grpc(endpoint: str) -> bool:
    """Return whether an endpoint can be one of gRPC: a URL of HTTP, or a target in gRPC's own naming."""
    if endpoint.partition("://")[0].lower() in SCHEMES:
        return is_http(endpoint)
    return bool(_GRPC_NAME.fullmatch(endpoint))


def place(url: str) -> str:
    """Return host and port of a URL, or gRPC's target as it is."""
    if not is_http(url):
        return url
    parts = urlsplit(url)
    host = parts.hostname or ""
    return f"{f'[{host}]' if ':' in host else host}:{parts.port or _DEFAULT_PORTS[parts.scheme]}"


def login(url: str) -> str | None:
    """Return the user name and password that a URL holds."""
    found, at, _ = urlsplit(url).netloc.rpartition("@")
    return unquote(found) if at else None


def is_loopback(url: str) -> bool:
    """Return whether an address is one of this machine."""
    host = (urlsplit(url).hostname if is_http(url) else url.rpartition(":")[0].strip("[]")) or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost") or url.startswith("unix")
