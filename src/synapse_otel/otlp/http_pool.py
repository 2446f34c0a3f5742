"""The connection to an endpoint: TLS, the proxy, and who logs in."""

from __future__ import annotations

import os
import ssl
from functools import lru_cache
from pathlib import Path

import urllib3

from synapse_otel.otlp.destination import Endpoint
from synapse_otel.otlp.endpoint import login
from synapse_otel.otlp.http_connection import POOLS


def open_pool(endpoint: Endpoint) -> urllib3.PoolManager:
    """Return a pool of one connection, which is opened when it is first used.

    Raises:
        OSError: When a file of the TLS settings cannot be read, or is none (`ssl.SSLError`).

    """
    context = _tls_context(endpoint) if endpoint.secure else None
    if endpoint.proxy is None or endpoint.is_local:
        pool = urllib3.PoolManager(num_pools=1, maxsize=1, ssl_context=context)
    else:
        name = login(endpoint.proxy)
        headers = urllib3.make_headers(proxy_basic_auth=name) if name else None
        pool = urllib3.ProxyManager(endpoint.proxy, 1, proxy_headers=headers, maxsize=1, ssl_context=context)
    pool.pool_classes_by_scheme = POOLS
    return pool


def _tls_context(endpoint: Endpoint) -> ssl.SSLContext:
    """Return the TLS context, shared by all signals, and read again when one of the files has changed."""
    paths = (endpoint.certificate, endpoint.client_certificate, endpoint.client_key)
    return _read_tls_context(*paths, tuple(_version(path) for path in paths if path))


@lru_cache(maxsize=4)
def _read_tls_context(
    certificate: str | None,
    client_certificate: str | None,
    client_key: str | None,
    _versions: tuple[tuple[int, int, int], ...],
) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=certificate)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if client_certificate:
        # With a password at hand, OpenSSL does not ask the terminal for that of an encrypted key.
        context.load_cert_chain(client_certificate, client_key, password="")
    return context


def _version(path: str) -> tuple[int, int, int]:
    """Return what changes with a file's content; `OSError` names the file when it cannot be read."""
    with Path(path).open("rb") as file:
        status = os.fstat(file.fileno())
    return status.st_ino, status.st_size, status.st_mtime_ns
