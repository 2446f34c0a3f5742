"""A shipper in the tests' own process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from synapse_otel.otlp.destination import Destination
from synapse_otel.shipper.configuration import Limits, ShipperConfiguration
from synapse_otel.shipper.service import Shipper


def shipper_of(
    roots: Iterable[Path],
    destination: Destination,
    key: str,
    *,
    interval_seconds: float = 5,
    say: Callable[[str], None] = print,
    usage_seconds: float = 0,
    limits: Limits = Limits(),  # noqa: B008 - immutable
    **options: Any,
) -> Shipper:
    """Return a shipper, by default one that takes no samples."""
    folders = [str(root) for root in roots]
    configuration = ShipperConfiguration(
        folders, destination, key, interval_seconds, limits=limits, usage_seconds=usage_seconds
    )
    return Shipper(configuration, say, **options)
