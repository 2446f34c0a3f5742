"""The connection to an endpoint: TLS, the proxy, and who logs in."""

from __future__ import annotations

import urllib3

from synapse_otel.otlp.destination import Endpoint
from synapse_otel.otlp.endpoint import login


def open_pool(endpoint: Endpoint) -> urllib3.PoolManager:
    """Return a pool of one connection, which is opened when it is first used.

    Raises:
        OSError: When a file of the TLS settings cannot be read, or is none (`ssl.SSLError`).

    """
    context = None
    if endpoint.secure:
        from synapse_otel.otlp.http_tls import tls_context

        context = tls_context(endpoint)
    if endpoint.proxy is None or endpoint.is_local:
        pool = urllib3.PoolManager(num_pools=1, maxsize=1, ssl_context=context)
    else:
        name = login(endpoint.proxy)
        headers = urllib3.make_headers(proxy_basic_auth=name) if name else None
        pool = urllib3.ProxyManager(endpoint.proxy, 1, proxy_headers=headers, maxsize=1, ssl_context=context)
    if endpoint.needs_openssl:
        from synapse_otel.otlp.http_tls import TlsPool

        pool.pool_classes_by_scheme = {"http": urllib3.HTTPConnectionPool, "https": TlsPool}
    return pool
