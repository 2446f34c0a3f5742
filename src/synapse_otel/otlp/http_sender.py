"""Sends export requests over HTTP, one at a time (OTLP specification, "OTLP/HTTP")."""

from __future__ import annotations

import gzip
import os
import time
from contextlib import suppress
from http.client import HTTPException
from typing import Final

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from synapse_otel.otlp.destination import USER_AGENT, Destination, Endpoint
from synapse_otel.otlp.endpoint import login, place
from synapse_otel.otlp.http_pool import open_pool
from synapse_otel.otlp.http_responses import LARGEST_ANSWER, Answer, one_line, outcome
from synapse_otel.otlp.outcome import Outcome, Retry
from synapse_otel.semconv.signal import Signal

_TLS: tuple[type[Exception], ...] = (SSLError,)
with suppress(ImportError):  # a process that needs no TLS may do without
    import ssl

    _TLS = SSLError, ssl.SSLError
_CHUNK: Final = 1 << 16
_UNREACHED: Final = (ConnectTimeoutError, NewConnectionError, *_TLS, ProxyError, FileNotFoundError)
"""Errors before a request is on its way."""
_FASTEST: Final = 1
_OURS: Final = frozenset({"content-type", "content-encoding", "content-length", "transfer-encoding", "connection"})
"""Headers that users cannot set, in lower case."""


class HttpSender:
    """Sends one signal's requests to where it goes, over a connection that is kept open in between."""

    def __init__(self, destination: Destination, signal: Signal) -> None:
        """Prepare; nothing is opened or read before the first `send`."""
        self._endpoint = destination.endpoint(signal)
        self._signal = signal
        self._headers = _headers(self._endpoint)
        self._place = place(self._endpoint.url)
        self._pool: urllib3.PoolManager | None = None

    def send(self, body: bytes) -> Outcome:
        """Send an export request and return what became of it; never raises for what the network or a server does.

        It takes at most the endpoint's timeout. Only a server that sends its status line and headers byte by byte
        can exceed it, as each byte restarts the timeout.
        """
        deadline = time.monotonic() + self._endpoint.timeout_seconds
        try:
            return outcome(self._exchange(body, deadline), self._signal)
        except (HTTPError, HTTPException, OSError) as error:
            self.close()  # the next connection looks at the certificates again: they may have been renewed
            reason = one_line(self._reason(error))
            _forget_frames(error)
            return Retry(reason, reached=not isinstance(error, _UNREACHED))

    def close(self) -> None:
        """Close the connection; the next `send` opens another."""
        if self._pool is not None:
            self._pool.clear()
            self._pool = None

    def _exchange(self, body: bytes, deadline: float) -> Answer:
        if self._pool is None:
            self._pool = open_pool(self._endpoint)
        if self._endpoint.compression == "gzip":
            body = gzip.compress(body, _FASTEST, mtime=0)
        response = self._pool.urlopen(
            "POST",
            self._endpoint.url,
            body=body,
            headers=self._headers,
            redirect=False,
            retries=False,
            timeout=urllib3.Timeout(total=max(deadline - time.monotonic(), 0.001)),
            preload_content=False,
        )
        try:
            return Answer(response.status, response.headers, self._read(response, deadline))
        finally:
            response.close()  # the connection too, unless the answer was read to its end

    def _read(self, response: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
        """Read an answer's body within limits of size and time."""
        content = bytearray()
        try:
            while chunk := response.read1(_CHUNK, decode_content=True):
                content += chunk
                if len(content) > LARGEST_ANSWER:
                    raise HTTPError(f"answered more than {LARGEST_ANSWER} bytes")
                if time.monotonic() > deadline:
                    raise TimeoutError
        except SSLError as error:
            raise ProtocolError("the answer is incomplete", error) from error
        return bytes(content)

    def _reason(self, error: Exception) -> str:  # noqa: PLR0911 - one return an error
        """Return what went wrong in a few words."""
        limit = f"within {self._endpoint.timeout_seconds:g} s"
        if isinstance(error, _TLS):
            return f"TLS with {self._place}: {_tls_reason(error)}"
        match error:
            case NameResolutionError():
                return f"the name of {self._place} cannot be resolved"
            case NewConnectionError():
                return _connection_reason(error.__cause__, self._place)
            case ConnectTimeoutError():
                return f"no connection to {self._place} {limit}"
            case ReadTimeoutError() | TimeoutError():
                return f"no answer from {self._place} {limit}"
            case ProxyError():
                return f"proxy {place(self._endpoint.proxy or '')}: {_cause_text(error)}"
            case ProtocolError(args=(*_, TimeoutError())):
                return f"{self._place} did not accept the whole request {limit}"
            case ProtocolError():
                return f"{self._place} closed the connection or does not speak HTTP: {_cause_text(error)}"
            case OSError(filename=str(path)):
                return f"cannot read {path}: {os.strerror(error.errno or 0)}"
        return f"{self._place}: {error}"


def _headers(endpoint: Endpoint) -> dict[str, str]:
    """Return the headers of every request: the user's, and those that are not theirs to choose."""
    user = login(endpoint.url)
    headers = {
        "user-agent": USER_AGENT,
        **(urllib3.make_headers(basic_auth=user) if user else {}),
        **{name.lower(): value for name, value in endpoint.headers.items()},
    }
    headers = {name: value for name, value in headers.items() if name not in _OURS}
    headers["content-type"] = "application/x-protobuf"
    if endpoint.compression == "gzip":
        headers["content-encoding"] = "gzip"
    return {name.title(): value for name, value in headers.items()}


def _forget_frames(error: BaseException | None) -> None:
    """Let go of the frames that an error and its causes came through, which hold the request in cycles."""
    while error is not None:
        error.__traceback__ = None
        error = error.__context__


def _tls_reason(error: Exception) -> str:
    """Return OpenSSL's own words, without codes and line numbers."""
    cause = error.args[0] if error.args and isinstance(error.args[0], _TLS) else error
    message = getattr(cause, "verify_message", None)
    if isinstance(message, str):
        return message
    reason = getattr(cause, "reason", None)
    return reason.lower().replace("_", " ") if isinstance(reason, str) else str(cause).partition(" (_ssl")[0]


def _connection_reason(cause: BaseException | None, place: str) -> str:
    if isinstance(cause, ConnectionRefusedError):
        return f"connection refused by {place}"
    return f"no connection to {place}: {getattr(cause, 'strerror', None) or cause}"


def _cause_text(error: Exception) -> str:
    cause = error.args[-1] if error.args else error
    return str(cause) or type(cause).__name__
