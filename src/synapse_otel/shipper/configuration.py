"""The configuration of a shipper's process, and the paths of its files: what a job needs to start one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from synapse_otel.otlp.destination import Destination

ORDERS_VARIABLE: Final = "SYNAPSE_OTEL_SHIPPER_ORDERS"
IDLE_SECONDS: Final = 30.0
FAILING_SECONDS: Final = 86_400.0
"""A shipper exits after this time without a live job and with only failed requests; the next job continues."""


class Limits(NamedTuple):
    """Limits of retention."""

    kept_runs: int = 100
    """Number of newest delivered runs."""
    kept_seconds: float = 30 * 86_400.0
    """Maximum time that a delivered run is kept."""
    kept_bytes: int = 0
    """Maximum disk space of the delivered records that stay."""
    total_bytes: int = 8 << 30
    """Maximum disk space of the segments of all journals."""


class ShipperConfiguration(msgspec.Struct, frozen=True):
    """The configuration of the process, passed in its environment, which only its user can read."""

    roots: list[str]
    """The folders in which journals may stand."""
    destination: Destination
    key: str
    """What names the destination in the journals."""
    interval_seconds: float
    """Time between two exports of the progress."""
    idle_seconds: float = IDLE_SECONDS
    """It exits after this time without a live job and without pending records..."""
    failing_seconds: float = FAILING_SECONDS
    """... and after this time without a live job in which every request failed."""
    limits: Limits = Limits()
    """Which journals are kept."""
    usage_seconds: float = 5.0
    """Time between two samples of resource usage; 0: no sampling."""

    def to_text(self) -> str:
        """Return it as text for a variable. Paths may be invalid UTF-8, which msgspec's JSON does not allow."""
        return json.dumps(msgspec.to_builtins(self))

    @classmethod
    def from_text(cls, text: str) -> ShipperConfiguration:
        """Return the configuration that `to_text` wrote; anything else raises `ValueError`."""
        return msgspec.convert(json.loads(text), type=cls)


def lock_path(root: Path, key: str) -> Path:
    """Return the lock that a destination's shipper holds while it is alive."""
    return root / f"shipper-{key}.lock"


def log_path(root: Path, key: str) -> Path:
    """Return the log file of a destination's shipper."""
    return root / f"shipper-{key}.log"
