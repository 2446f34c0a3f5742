"""Connections that read an answer which the server gave before it had read the whole request.

A server that takes no more than so many bytes answers 413 and closes. What is sent to it then fails, but the answer is
there. urllib3 reads it over plain TCP; over TLS, and when the sending has stalled, it gives up.
"""

from __future__ import annotations

import ssl
from typing import Any, Final

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPSConnection
from urllib3.response import HTTPResponse

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


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


POOLS: Final = {"http": HTTPConnectionPool, "https": _TlsPool}
"""What a `urllib3.PoolManager` makes connections with, by scheme."""
