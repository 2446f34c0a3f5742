"""The sender that an endpoint's protocol asks for."""

from __future__ import annotations

from typing import Final, Protocol

from synapse_otel._guard import allow_imports
from synapse_otel.otlp.destination import Destination
from synapse_otel.otlp.outcome import Outcome, Refused
from synapse_otel.semconv.signal import Signal

NEEDS_GRPC: Final = "OTLP over gRPC needs a package that is not installed here: pip install 'synapse-otel[grpc]'"


class Sender(Protocol):
    """Sends one signal's requests, one at a time."""

    def send(self, body: bytes) -> Outcome:
        """Send an export request and return what became of it; never raises for what the network or a server does."""

    def close(self) -> None:
        """Close the connection; the next `send` opens another."""


def open_sender(destination: Destination, signal: Signal) -> Sender:
    """Return what sends a signal; nothing is opened before the first request, and only what is needed is loaded."""
    allow_imports()
    if destination.endpoint(signal).protocol == "grpc":
        try:
            from synapse_otel.otlp.grpc_sender import GrpcSender
        except ModuleNotFoundError as error:
            if error.name != "grpc":
                raise
            return _WithoutGrpc()
        return GrpcSender(destination, signal)
    from synapse_otel.otlp.http_sender import HttpSender

    return HttpSender(destination, signal)


class _WithoutGrpc:
    """Takes the place of gRPC's sender where the extra ``grpc`` is not installed: every record is kept."""

    def send(self, body: bytes) -> Outcome:  # noqa: ARG002 - as `Sender` has it
        """Refuse, with what to install."""
        return Refused(NEEDS_GRPC)

    def close(self) -> None:
        """Do nothing: nothing is open."""
