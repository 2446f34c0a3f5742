"""The gRPC channel to an endpoint: TLS, the proxy, and what gRPC must not do on its own.

Python's ``ssl`` is loaded only for an endpoint with TLS: a process that does without it has no OpenSSL in its memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from synapse_otel.otlp.destination import USER_AGENT, Endpoint
from synapse_otel.otlp.endpoint import place
from synapse_otel.otlp.http_responses import LARGEST_ANSWER

_ROOTS: Final = "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"
_BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where Linux distributions and macOS have all authorities in one file; OpenSSL may know a folder of them only."""


@contextmanager
def _quiet() -> Iterator[None]:
    """Have gRPC write nothing to stderr, which is the job's, unless the user wants it; it looks when it is loaded."""
    if _VERBOSITY in os.environ:
        yield
        return
    os.environ[_VERBOSITY] = "NONE"
    try:
        yield
    finally:
        os.environ.pop(_VERBOSITY, None)


_VERBOSITY: Final = "GRPC_VERBOSITY"
with _quiet():
    import grpc  # type: ignore[import-untyped]

RpcError: Final = grpc.RpcError


def open_channel(endpoint: Endpoint) -> Any:
    """Return a `grpc.Channel`, which connects when it is first used.

    Raises:
        OSError: A file of the TLS settings cannot be read, or is none (`ssl.SSLError`).

    """
    target, options = place(endpoint.url), _options(endpoint)
    compression = grpc.Compression.Gzip if endpoint.compression == "gzip" else grpc.Compression.NoCompression
    if endpoint.secure:
        return grpc.secure_channel(target, _credentials(endpoint), options, compression)
    return grpc.insecure_channel(target, options, compression)


def _options(endpoint: Endpoint) -> list[tuple[str, Any]]:
    proxy = None if endpoint.is_local else endpoint.proxy
    agent = {name.lower(): value for name, value in endpoint.headers.items()}.get("user-agent", USER_AGENT)
    return [
        ("grpc.primary_user_agent", agent),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_receive_message_length", LARGEST_ANSWER),
        ("grpc.enable_retries", 0),  # when to try again is decided here
        # Else channels share a connection, also one that is stuck: it would stay as long as one of them is open.
        ("grpc.use_local_subchannel_pool", 1),
        # The proxy was chosen where the settings were read; gRPC would look at this process's environment.
        ("grpc.http_proxy", proxy) if proxy else ("grpc.enable_http_proxy", 0),
    ]


def _credentials(endpoint: Endpoint) -> Any:
    certificate, client = endpoint.certificate, endpoint.client_certificate
    _check(endpoint)
    return grpc.ssl_channel_credentials(
        root_certificates=_read(certificate) if certificate else _system_roots(),
        private_key=_read(endpoint.client_key or client) if client else None,
        certificate_chain=_read(client) if client else None,
    )


def _check(endpoint: Endpoint) -> None:
    """Raise what is wrong with the files: gRPC would not say which, or why."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for path in (endpoint.certificate, endpoint.client_certificate, endpoint.client_key):
        if path:
            _read(path)
    if endpoint.certificate:
        context.load_verify_locations(endpoint.certificate)
    if endpoint.client_certificate:
        context.load_cert_chain(endpoint.client_certificate, endpoint.client_key, password="")


def _system_roots() -> bytes | None:
    """Return the authorities that the system trusts, as over HTTP; None: gRPC's own, where the system has no file."""
    if _ROOTS in os.environ:
        return None
    import ssl

    paths = [path for path in (ssl.get_default_verify_paths().cafile, *_BUNDLES) if path and os.path.isfile(path)]
    return _read(paths[0]) if paths else None


def _read(path: str | None) -> bytes:
    return Path(path or "").read_bytes()
