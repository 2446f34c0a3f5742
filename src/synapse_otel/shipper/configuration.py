"""What a shipper's process is told, and where its files stand: all that a job needs to know of it to start one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from synapse_otel.otlp.destination import Destination

ORDERS_VARIABLE: Final = "SYNAPSE_OTEL_SHIPPER_ORDERS"
IDLE_SECONDS: Final = 30.0
FAILING_SECONDS: Final = 86_400.0
"""After so long without a job that lives, and with nothing but failures, a shipper leaves: the next job, or `sync`,
finds what waits."""
KEPT_RUNS: Final = 100
KEPT_SECONDS: Final = 30 * 86_400.0
TOTAL_BYTES: Final = 8 << 30
USAGE_SECONDS: Final = 5.0


class Limits(NamedTuple):
    """How much is kept."""

    kept_runs: int = KEPT_RUNS
    """Delivered runs, the newest; their segments are deleted at once."""
    kept_seconds: float = KEPT_SECONDS
    """Time that a delivered run is kept at most."""
    total_bytes: int = TOTAL_BYTES
    """What the segments of all journals may take on the disk together."""


class ShipperConfiguration(msgspec.Struct, frozen=True):
    """What the process is started with, handed over in its environment, which only its user can read."""

    roots: list[str]
    destination: Destination
    key: str
    interval_seconds: float
    idle_seconds: float = IDLE_SECONDS
    """It leaves after so long without a job that lives and without anything to deliver..."""
    failing_seconds: float = FAILING_SECONDS
    """... and after so long without a job that lives in which nothing could be delivered."""
    kept_runs: int = KEPT_RUNS
    """Delivered runs that are kept, the newest."""
    kept_seconds: float = KEPT_SECONDS
    """Time that a delivered run is kept at most."""
    total_bytes: int = TOTAL_BYTES
    """What the segments of all journals may take on the disk together."""
    usage_seconds: float = USAGE_SECONDS
    """Between two samples of what jobs use; 0: none are taken."""

    def to_text(self) -> str:
        """Return them as text for a variable. Paths need not be UTF-8, which msgspec's own JSON has to be."""
        return json.dumps(msgspec.to_builtins(self))

    @classmethod
    def from_text(cls, text: str) -> ShipperConfiguration:
        """Return the orders that `to_text` wrote; anything else raises `ValueError`."""
        return msgspec.convert(json.loads(text), type=cls)

    @property
    def limits(self) -> Limits:
        """What is kept of the journals."""
        return Limits(self.kept_runs, self.kept_seconds, self.total_bytes)


def lock_path(root: Path, key: str) -> Path:
    """Return the lock that a destination's shipper holds as long as it lives."""
    return root / f"shipper-{key}.lock"


def log_path(root: Path, key: str) -> Path:
    """Return the file in which a destination's shipper says what it has to say."""
    return root / f"shipper-{key}.log"
