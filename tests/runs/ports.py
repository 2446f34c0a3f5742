"""Ports at which nobody listens."""

from __future__ import annotations

from itertools import count

from tools.stack.ports import Ports

_ports = Ports()
_names = map(str, count())


def free_port() -> int:
    """Return a port that is free, that no outgoing connection takes meanwhile, and that no other test run is given."""
    return _ports[next(_names)]
