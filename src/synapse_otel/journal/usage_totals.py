"""Resource usage of a job in a period, in a few numbers."""

from __future__ import annotations

from typing import NamedTuple

from synapse_otel.journal.usage import Usage, UsageSample, most


class UsageTotals(NamedTuple):
    """Totals and peaks of a period; None: unknown."""

    memory_peak: int
    """Bytes, resident, of all processes together."""
    memory_limit: int | None
    """Bytes; None: no limit."""
    cpu_seconds: float
    cpu_peak: float | None
    """Peak number of busy CPUs."""
    cpu_limit: float
    """CPUs that the job may use."""
    processes_peak: int
    disk_read: int | None
    """Bytes, like the following fields."""
    disk_written: int | None
    received: int | None
    sent: int | None
    gpu_utilization_peak: float | None
    """0 to 1, of the GPU that was busiest."""
    gpu_memory_peak: int | None
    """Bytes, of all GPUs of the job together."""
    gpu_power_peak: float | None
    """Watts, together."""


def usage_totals(usage: Usage, start: int, end: int) -> UsageTotals | None:
    """Return the resource usage between two Unix times in ns; None if there is no sample in between.

    For the first job of a process, counters are counted from the beginning of the process.
    """
    within = [sample for sample in usage.samples if start <= sample.time <= end]
    source = usage.source
    if not within or source is None:
        return None
    before = next((sample for sample in reversed(usage.samples) if sample.time < start), None)
    last = within[-1]
    gpus = [gpu.utilization for sample in within for gpu in sample.gpus]
    return UsageTotals(
        memory_peak=max(sample.memory_peak for sample in within),
        memory_limit=source.memory_limit or None,
        cpu_seconds=_grown(before, last, "cpu_user", 0) + _grown(before, last, "cpu_system", 0),
        cpu_peak=most(*(sample.cpus for sample in within)),
        cpu_limit=source.cpus,
        processes_peak=max(sample.processes for sample in within),
        disk_read=_known(before, last, "disk_read", 0),
        disk_written=_known(before, last, "disk_written", 0),
        # The namespace has counted since long before the process began.
        received=_known(before, last, "received", within[0].received),
        sent=_known(before, last, "sent", within[0].sent),
        gpu_utilization_peak=most(*gpus),
        gpu_memory_peak=most(*(_together(sample, "memory") for sample in within)),
        gpu_power_peak=most(*(_together(sample, "power") for sample in within)),
    )


def _known(before: UsageSample | None, last: UsageSample, counter: str, start: int | None) -> int | None:
    begin = start if before is None else getattr(before, counter)
    return None if begin is None or getattr(last, counter) is None else int(_grown(before, last, counter, begin))


def _grown(before: UsageSample | None, last: UsageSample, counter: str, start: float) -> float:
    begin = start if before is None else getattr(before, counter)
    return max(float(getattr(last, counter) - begin), 0.0)


def _together(sample: UsageSample, what: str) -> float | None:
    values = [value for gpu in sample.gpus if (value := getattr(gpu, what)) is not None]
    return sum(values) if values else None
