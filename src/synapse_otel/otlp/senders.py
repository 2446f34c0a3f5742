"""The sender that an endpoint's protocol asks for."""

from __future__ import annotations

from typing import Protocol

from synapse_otel.otlp.destination import Destination
from synapse_otel.otlp.outcome import Outcome
from synapse_otel.semconv.signal import Signal


class Sender(Protocol):
    """Sends one signal's requests, one at a time."""

    def send(self, body: bytes) -> Outcome:
        """Send an export request and return what became of it; never raises for what the network or a server does."""

    def close(self) -> None:
        """Close the connection; the next `send` opens another."""


def open_sender(destination: Destination, signal: Signal) -> Sender:
    """Return what sends a signal; nothing is opened before the first request, and only what is needed is loaded."""
    if destination.endpoint(signal).protocol == "grpc":
        from synapse_otel.otlp.grpc_sender import GrpcSender

        return GrpcSender(destination, signal)
    from synapse_otel.otlp.http_sender import HttpSender

    return HttpSender(destination, signal)
