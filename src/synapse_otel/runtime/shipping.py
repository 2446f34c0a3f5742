"""What a shipper is told by the settings, and one of its own for who has none: for jobs, and for who watches them."""

from __future__ import annotations

from pathlib import Path

from synapse_otel.journal.folder import spare_roots
from synapse_otel.otlp.destination import Destination
from synapse_otel.settings import Settings
from synapse_otel.shipper.configuration import Limits, ShipperConfiguration, lock_path
from synapse_otel.shipper.end_hung import end_silent
from synapse_otel.shipper.launch import ensure_shipper, is_shipping


def shipper_configuration(
    settings: Settings, destination: Destination, key: str, home: Path | None = None
) -> ShipperConfiguration:
    """Return what a shipper is started with.

    Args:
        settings: the user's.
        destination: where it delivers to.
        key: what the destination is named by in the journals.
        home: the folder below which its own files stand; the folder of all journals if none is given.
    """
    roots = dict.fromkeys([home or settings.journal_dir, settings.journal_dir, *spare_roots()])
    return ShipperConfiguration(
        roots=[str(root) for root in roots],
        destination=destination,
        key=key,
        interval_seconds=settings.metric_export_interval / 1000,
        limits=Limits(
            kept_runs=settings.journal_retention_runs,
            kept_seconds=settings.journal_retention_age,
            kept_bytes=int(settings.journal_kept_budget),
            total_bytes=int(settings.journal_total_budget),  # no subclass: it is encoded
        ),
        usage_seconds=settings.usage_interval,
    )


def ensure_shipping(configuration: ShipperConfiguration) -> bool:
    """Start a shipper unless one runs, be it one whose files stand in another root: it sees them all.

    One that has given no sign of life for too long is ended, and replaced.

    Returns:
        whether one was started.

    Raises:
        OSError: no process could be started.
    """
    for root in map(Path, configuration.roots):
        if is_shipping(root, configuration.key) and not end_silent(lock_path(root, configuration.key)):
            return False
    return ensure_shipper(configuration)
