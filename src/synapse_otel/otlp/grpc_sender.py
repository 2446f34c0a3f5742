"""Sends export requests over gRPC, one at a time (OTLP specification, "OTLP/gRPC").

Loaded only where gRPC is asked for: it takes 15 MiB.
"""

from __future__ import annotations

import base64
import os
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from synapse_otel.otlp.destination import Destination, Endpoint
from synapse_otel.otlp.endpoint import login, place
from synapse_otel.otlp.grpc_channel import RpcError, open_channel
from synapse_otel.otlp.grpc_responses import STATUS_DETAILS, failure
from synapse_otel.otlp.http_responses import one_line, response
from synapse_otel.otlp.outcome import Outcome, Retry
from synapse_otel.semconv.signal import Signal

METHODS: Final = {
    Signal.LOGS: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    Signal.METRICS: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    Signal.TRACES: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
}

SURELY_TAKEN_BYTES: Final = 1 << 16
"""No server takes less; the usual limit is 4 MiB. A smaller request is not refused for its size."""

_OURS: Final = frozenset({"content-type", "te", "user-agent"})
"""Headers that are no metadata, or that users cannot set, in lower case."""
_NO_CONNECTION: Final = re.compile(r"failed to connect to all addresses|errors? resolving|DNS resolution failed")
_LAST_ERROR: Final = re.compile(r".*last error: (?:[A-Z_]+: )?(?:(?:ipv4|ipv6|unix|vsock)[^ ]*: )?")


class GrpcSender:
    """Sends one signal's requests to where it goes, over a channel that is kept open in between."""

    _used_by: int | None = None
    """The process that has opened a channel: gRPC cannot be used in what is forked from it afterwards."""

    def __init__(self, destination: Destination, signal: Signal) -> None:
        """Prepare; nothing is opened or read before the first `send`."""
        self._endpoint = destination.endpoint(signal)
        self._signal = signal
        self._metadata = _metadata(self._endpoint)
        self._place = place(self._endpoint.url)
        self._channel: Any = None
        self._call: Callable[..., bytes] | None = None
        self._largest_taken = SURELY_TAKEN_BYTES
        """Bytes of a request that the server is known to take."""

    def send(self, body: bytes) -> Outcome:
        """Send an export request and return what became of it; never raises for what the network or a server does.

        It takes the endpoint's timeout at most.
        """
        if not self._is_usable():
            return Retry(_FORKED, reached=False)
        begin = time.monotonic()
        try:
            answer = self._open()(body, timeout=self._endpoint.timeout_seconds, metadata=self._metadata)
        except RpcError as error:
            elapsed = time.monotonic() - begin
            found = self._failed(error, body, elapsed)
            if isinstance(found, Retry):
                self.close()  # the next channel looks at the names and the certificates again
            return found
        except OSError as error:
            return Retry(one_line(_file_reason(error, self._place)), reached=False)
        self._largest_taken = max(self._largest_taken, len(body))
        return self._accepted(answer)

    def close(self) -> None:
        """Close the channel; the next `send` opens another."""
        channel, self._channel, self._call = self._channel, None, None
        if channel is not None and self._is_usable():
            channel.close()

    def _is_usable(self) -> bool:
        return GrpcSender._used_by in {None, os.getpid()}

    def _open(self) -> Callable[..., bytes]:
        if self._call is None:
            self._channel = open_channel(self._endpoint)
            GrpcSender._used_by = os.getpid()
            self._call = self._channel.unary_unary(METHODS[self._signal])
        return self._call

    def _accepted(self, answer: bytes) -> Outcome:
        try:
            return response(answer, self._signal)
        except ValueError:
            return Retry("answered OK with a message that is not an OTLP response", status=200)

    def _failed(self, error: Any, body: bytes, elapsed: float) -> Outcome:
        code, words = error.code().name, error.details() or ""
        if _NO_CONNECTION.match(words):
            return Retry(one_line(f"no connection to {self._place}: {_LAST_ERROR.sub('', words)}"), reached=False)
        if code == "DEADLINE_EXCEEDED" and elapsed >= self._endpoint.timeout_seconds:
            return Retry(f"no answer from {self._place} within {self._endpoint.timeout_seconds:g} s")
        return failure(code, words, _details(error.trailing_metadata()), large=len(body) > self._largest_taken)


def _metadata(endpoint: Endpoint) -> tuple[tuple[str, str | bytes], ...]:
    """Return the metadata of every call: the user's headers."""
    user = login(endpoint.url)
    headers = {"authorization": "Basic " + base64.b64encode(user.encode()).decode()} if user else {}
    headers |= {name.lower(): value for name, value in endpoint.headers.items()}
    return tuple(
        (name, value.encode() if name.endswith("-bin") else value)
        for name, value in headers.items()
        if name not in _OURS and not name.startswith("grpc-")
    )


def _details(metadata: Any) -> bytes:
    found: Mapping[str, Any] = dict(metadata or ())
    details = found.get(STATUS_DETAILS, b"")
    return details if isinstance(details, bytes) else b""


def _file_reason(error: OSError, place: str) -> str:
    if error.filename is None:  # `ssl.SSLError`
        return f"TLS with {place}: {getattr(error, 'reason', None) or error}"
    return f"cannot read {error.filename}: {os.strerror(error.errno or 0)}"


_FORKED: Final = (
    "gRPC cannot be used in a process that was forked from one that uses it: "
    "the parent's shipper, or `synapse-otel sync`, delivers this after the process has ended"
)
