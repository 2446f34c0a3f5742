"""Ports at which nobody listens."""

from __future__ import annotations

import random
import socket

_BELOW_EPHEMERAL = range(10_000, 12_000)
"""Linux gives outgoing connections ports from 32,768 up: a free one from there may be gone a moment later."""
_untried = random.SystemRandom().sample(_BELOW_EPHEMERAL, len(_BELOW_EPHEMERAL))


def free_port() -> int:
    """Return a port that is free, that no outgoing connection takes meanwhile, and that nobody else is given here."""
    while True:
        port = _untried.pop()
        with socket.socket() as found:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as who listens there does
            try:
                found.bind(("127.0.0.1", port))
            except OSError:
                continue  # somebody's
            return port
