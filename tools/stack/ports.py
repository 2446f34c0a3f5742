"""Ports on loopback: the well-known ones of `up`, and free ones that no second stack takes meanwhile."""

from __future__ import annotations

import os
import random
import socket
import sys
from dataclasses import dataclass

from tools.stack.errors import PortTakenError

LOOPBACK = "127.0.0.1"

_NUMBERS = range(1, 65_536)

_BELOW_EPHEMERAL = range(12_000, 32_000)
"""Linux gives outgoing connections ports from 32,768 up: a free one from there may be gone a moment later."""


@dataclass(frozen=True, slots=True)
class Known:
    """A port at which users look for a server: whose, its number, the variable that moves it, and its former name."""

    whose: str
    port: int
    variable: str
    former: str = ""


KNOWN = {
    "otlp_grpc": Known("agent, OTLP over gRPC", 4317, "STACK_OTLP_GRPC_PORT"),
    "otlp_http": Known("agent, OTLP over HTTP", 4318, "STACK_OTLP_HTTP_PORT"),
    "jaeger": Known("Jaeger", 16686, "STACK_TRACES_PORT", "STACK_JAEGER_PORT"),
    "prometheus": Known("Prometheus", 9090, "STACK_METRICS_PORT", "STACK_PROMETHEUS_PORT"),
    "victorialogs": Known("VictoriaLogs", 9428, "STACK_LOGS_PORT", "STACK_LOKI_PORT"),
}


class Ports:
    """Hands out ports by name: fixed numbers where given, free ones otherwise.

    A free port stays reserved for as long as this object lives or until `close`, so that a second stack that looks
    for ports before our server listens does not choose the same.
    """

    def __init__(self, fixed: dict[str, int] | None = None) -> None:
        """Keep to the numbers in `fixed`; every other name gets a free port."""
        self._ports = dict(fixed or {})
        self._reservations: list[socket.socket] = []

    def __getitem__(self, name: str) -> int:
        """Return the port of this name, the same each time."""
        if name not in self._ports:
            self._ports[name] = self._free_port()
        return self._ports[name]

    def close(self) -> None:
        """Give the reservations back."""
        for reservation in self._reservations:
            reservation.close()
        self._reservations.clear()

    def _free_port(self) -> int:
        for port in random.sample(_BELOW_EPHEMERAL, k=1000):
            if port not in self._ports.values() and is_free(port) and self._reserve(port):
                return port
        raise PortTakenError(f"no free port on {LOOPBACK} between {_BELOW_EPHEMERAL[0]} and {_BELOW_EPHEMERAL[-1]}")

    def _reserve(self, port: int) -> bool:
        """Reserve by a name that the kernel frees when this process ends, however it ends (Linux only)."""
        if sys.platform != "linux":
            return True
        reservation = socket.socket(socket.AF_UNIX)
        try:
            reservation.bind(f"\0synapse-otel-stack-{port}")
        except OSError:
            reservation.close()
            return False
        self._reservations.append(reservation)
        return True


def is_free(port: int) -> bool:
    """Whether nothing listens on this port of the loopback address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def known_ports() -> dict[str, int]:
    """Return the well-known ports, moved by the environment; raises PortTakenError for the first that is taken.

    Raises ValueError where a variable is no port number.
    """
    ports = {name: chosen_port(known) for name, known in KNOWN.items()}
    for name, port in ports.items():
        if not is_free(port):
            known = KNOWN[name]
            message = f"port {port} ({known.whose}) is taken: stop what listens there, or choose another with"
            raise PortTakenError(f"{message} {known.variable}, for example {known.variable}={10_000 + port % 50_000}")
    return ports


def chosen_port(known: Known) -> int:
    """Return a known port's number as the environment has it; raises ValueError where that is no port number."""
    variable = known.variable
    if known.former in os.environ:
        print(f"{known.former} is now called {variable}; the old name still works", file=sys.stderr)
        variable = variable if variable in os.environ else known.former
    text = os.environ.get(variable) or str(known.port)
    if not text.isdecimal() or int(text) not in _NUMBERS:
        raise ValueError(f"{variable}={text!r} is no port number: {_NUMBERS[0]} to {_NUMBERS[-1]}")
    return int(text)
