"""TLS over HTTP: its context, and what tells a connection that was closed from one that TLS has failed on.

Needs Python's own OpenSSL, which nothing else here does: a shipper that sends without TLS leaves it out.

A server that takes no more than so many bytes answers 413 and closes. What is sent to it then fails, but the answer is
there. urllib3 reads it over plain TCP; over TLS, and when the sending has stalled, it gives up.
"""

from __future__ import annotations

import os
import ssl
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from urllib3 import HTTPSConnectionPool
from urllib3.connection import HTTPSConnection
from urllib3.response import HTTPResponse

from synapse_otel.otlp.destination import Endpoint

_CLOSED: Final = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


class _TlsConnection(HTTPSConnection):
    """Tells a connection that the server has closed from one that TLS has failed on."""

    def send(self, data: Any) -> None:
        """Send a part of the request; raise `BrokenPipeError`, on which urllib3 reads the answer, if it was closed."""
        connected = self.sock is not None
        try:
            super().send(data)
        except _CLOSED as error:
            if not connected:
                raise
            raise BrokenPipeError(str(error)) from error

    def getresponse(self) -> HTTPResponse:  # type: ignore[override] # as urllib3's own
        """Read the answer; raise `ConnectionResetError` if the connection was closed instead."""
        try:
            return super().getresponse()
        except _CLOSED as error:
            raise ConnectionResetError("the connection was closed without an answer") from error


class TlsPool(HTTPSConnectionPool):
    """The connections to one server by TLS."""

    ConnectionCls = _TlsConnection


def tls_context(endpoint: Endpoint) -> ssl.SSLContext:
    """Return the TLS context, shared by all signals, and read again when one of the files has changed.

    Raises:
        OSError: When a file cannot be read, or is none (`ssl.SSLError`).

    """
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
