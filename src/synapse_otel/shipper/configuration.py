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
KEPT_RUNS: Final = 100
KEPT_SECONDS: Final = 30 * 86_400.0
TOTAL_BYTES: Final = 8 << 30
USAGE_SECONDS: Final = 5.0


class Limits(NamedTuple):
    """Limits of retention."""

    kept_runs: int = KEPT_RUNS
    """Number of newest delivered runs; their segments are deleted at once."""
    kept_seconds: float = KEPT_SECONDS
    """Maximum time that a delivered run is kept."""
    total_bytes: int = TOTAL_BYTES
    """Maximum disk space of the segments of all journals."""


class ShipperConfiguration(msgspec.Struct, frozen=True):
    """The configuration of the process, passed in its environment, which only its user can read."""

    roots: list[str]
    destination: Destination
    key: str
    interval_seconds: float
    idle_seconds: float = IDLE_SECONDS
    """It exits after this time without a live job and without pending records..."""
    failing_seconds: float = FAILING_SECONDS
    """... and after this time without a live job in which every request failed."""
    kept_runs: int = KEPT_RUNS
    """Number of newest delivered runs to keep."""
    kept_seconds: float = KEPT_SECONDS
    """Maximum time that a delivered run is kept."""
    total_bytes: int = TOTAL_BYTES
    """Maximum disk space of the segments of all journals."""
    usage_seconds: float = USAGE_SECONDS
    """Time between two samples of resource usage; 0: no sampling."""

    def to_text(self) -> str:
        """Return it as text for a variable. Paths may be invalid UTF-8, which msgspec's JSON does not allow."""
        return json.dumps(msgspec.to_builtins(self))

    @classmethod
    def from_text(cls, text: str) -> ShipperConfiguration:
        """Return the configuration that `to_text` wrote; anything else raises `ValueError`."""
        return msgspec.convert(json.loads(text), type=cls)

    @property
    def limits(self) -> Limits:
        """Which journals are kept."""
        return Limits(self.kept_runs, self.kept_seconds, self.total_bytes)


def lock_path(root: Path, key: str) -> Path:
    """Return the lock that a destination's shipper holds while it is alive."""
    return root / f"shipper-{key}.lock"


def log_path(root: Path, key: str) -> Path:
    """Return the log file of a destination's shipper."""
    return root / f"shipper-{key}.log"
