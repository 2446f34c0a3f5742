"""Samples that look like those of a job, written beside a journal."""

from __future__ import annotations

from pathlib import Path

from synapse_otel.journal.usage import Gpu, GpuSample, OomKill, UsageSample, UsageSource, UsageWriter

SECOND = 1_000_000_000
GIBIBYTE = 1 << 30


def sample(number: int, start: int = 0, **changed: object) -> UsageSample:
    """Return the sample of second ``number`` times five."""
    fields = {
        "time": start + number * 5 * SECOND,
        "cpu_user": number * 4.0,
        "cpu_system": number * 1.0,
        "cpus": 1.0,
        "memory": GIBIBYTE,
        "memory_peak": GIBIBYTE,
        "processes": 2,
        "disk_read": number * 1_000_000,
        "disk_written": 0,
        "received": 10**9 + number * 5_000,
        "sent": 10**8,
        "host_cpu": 0.5,
        "host_memory": 4 * GIBIBYTE,
        "oom_kills": 0,
    }
    return UsageSample(**{**fields, **changed})


def source(start: int = 0, *, gpus: int = 0, **changed: object) -> UsageSource:
    found = [Gpu(index, f"GPU-{index}", "NVIDIA Test", 8 * GIBIBYTE) for index in range(gpus)]
    by = "all" if gpus else ""
    given = {"cpus": 2.0, "memory_limit": 2 * GIBIBYTE, "host_cpus": 8, "host_memory": 16 * GIBIBYTE, **changed}
    return UsageSource(start, **given, gpus=found, gpus_by=by)


def write(folder: Path, start: int, count: int = 12, *, gpus: int = 0, oom: bool = False) -> None:
    """Write samples of a job that begins at ``start``; one of them is a peak."""
    writer = UsageWriter(folder)
    writer.append(source(start, gpus=gpus))
    for number in range(count):
        peak = {"memory_peak": GIBIBYTE * 3 // 2, "cpus": 1.9} if number == count // 2 else {}
        told = [GpuSample(index, 0.25 * (index + 1), GIBIBYTE * (index + 1), 100.0) for index in range(gpus)]
        writer.append(sample(number, start, gpus=told, **peak))
    if oom:
        writer.append(OomKill(start + count * 5 * SECOND))
