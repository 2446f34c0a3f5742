"""What of a run is no longer on this machine, and why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from synapse_otel._text import counted
from synapse_otel.journal.account import Account
from synapse_otel.journal.cursor import EVICTED, read_cursor
from synapse_otel.semconv.signal import Signal


def records_gone(folder: Path, emitted: Sequence[int], missing: Sequence[int]) -> int:
    """Return how many records of a journal have no frame any more.

    Args:
        folder: the journal's.
        emitted: by signal, records that its frames tell of; all 0 if there are none.
        missing: by signal, those of them that no frame holds.
    """
    if any(emitted):
        return sum(missing)
    return sum(read_cursor(folder, signal).sequence for signal in Signal)


def removed(missing: int, account: Account) -> int:
    """Return how many of a run's missing records were delivered, and their segments removed from this machine."""
    return min(max(missing - account.dropped.get(EVICTED, 0), 0), account.delivered)


def gone_notes(missing: int, account: Account) -> list[str]:
    """Return in words which records of a run are no longer on this machine."""
    delivered = removed(missing, account)
    lost = missing - delivered
    notes = []
    if delivered:
        which = f"all {delivered:,}" if delivered >= account.emitted else f"{delivered:,} of {account.emitted:,}"
        notes.append(f"delivered and removed from this machine: {which} records")
    if lost:
        notes.append(f"evicted or damaged before delivery: {counted(lost, 'record')}")
    return notes
