"""What a job used, as OpenTelemetry metrics, and as attributes of its span."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from synapse_otel.journal.usage import Gpu, GpuSample, Usage, UsageSample, UsageSource, most
from synapse_otel.shipper.encode_metrics import gauge_points, metric, sum_point
from synapse_otel.signals import semconv

_Value = tuple[semconv.Metric, dict[str, Any], float | None]


def usage_points(source: UsageSource, sample: UsageSample, job: dict[str, Any]) -> list[bytes]:
    """Return the ``Metric`` messages of a sample.

    Args:
        source: what it is of.
        sample: the sample.
        job: attributes of the job's metrics.
    """
    return [
        _encoded(what, {**job, **own}, value, source.started, sample.time)
        for what, own, value in _values(source, sample)
        if value is not None
    ]


def _values(source: UsageSource, sample: UsageSample) -> Iterator[_Value]:
    yield semconv.PROCESS_CPU_TIME, {semconv.CPU_MODE: "user"}, sample.cpu_user
    yield semconv.PROCESS_CPU_TIME, {semconv.CPU_MODE: "system"}, sample.cpu_system
    yield semconv.PROCESS_CPU_UTILIZATION, {}, None if sample.cpus is None else sample.cpus / source.cpus
    yield semconv.PROCESS_MEMORY_USAGE, {}, sample.memory
    yield semconv.PROCESS_DISK_IO, {semconv.DISK_DIRECTION: "read"}, sample.disk_read
    yield semconv.PROCESS_DISK_IO, {semconv.DISK_DIRECTION: "write"}, sample.disk_written
    yield semconv.JOB_PROCESSES, {}, sample.processes
    yield semconv.JOB_CPU_LIMIT, {}, source.cpus
    yield semconv.JOB_MEMORY_LIMIT, {}, source.memory_limit or None
    yield semconv.SYSTEM_NETWORK_IO, {semconv.NETWORK_DIRECTION: "receive"}, sample.received
    yield semconv.SYSTEM_NETWORK_IO, {semconv.NETWORK_DIRECTION: "transmit"}, sample.sent
    yield semconv.SYSTEM_CPU_UTILIZATION, {}, sample.host_cpu
    yield semconv.SYSTEM_MEMORY_USAGE, {semconv.MEMORY_STATE: "used"}, sample.host_memory
    yield semconv.SYSTEM_MEMORY_LIMIT, {}, source.host_memory or None
    known = {gpu.index: gpu for gpu in source.gpus}
    for gpu in sample.gpus:
        if gpu.index in known:
            yield from _gpu_values(known[gpu.index], gpu)


def _gpu_values(gpu: Gpu, sample: GpuSample) -> Iterator[_Value]:
    own = {semconv.HW_ID: gpu.id, semconv.HW_NAME: f"GPU {gpu.index}", semconv.HW_MODEL: gpu.model}
    yield semconv.HW_GPU_UTILIZATION, own, sample.utilization
    yield semconv.HW_GPU_MEMORY_USAGE, own, sample.memory
    yield semconv.HW_GPU_MEMORY_LIMIT, own, gpu.memory or None
    share = sample.memory / gpu.memory if sample.memory is not None and gpu.memory else None
    yield semconv.HW_GPU_MEMORY_UTILIZATION, own, share
    yield semconv.HW_POWER, {**own, semconv.HW_TYPE: "gpu"}, sample.power


def _encoded(what: semconv.Metric, attributes: dict[str, Any], value: float, start: int, time: int) -> bytes:
    if what.instrument == "gauge":
        point = gauge_points(attributes, [(time, value)])
    else:
        point = sum_point(attributes, min(start, time), time, value)
    return metric(what.instrument, what.name, what.unit, what.description, [point])


def usage_attributes(usage: Usage, start: int, end: int) -> dict[str, Any]:
    """Return what a span tells of what was used from its beginning to its end; nothing where nobody has sampled it."""
    samples = usage.during(start, end)
    if not samples or samples[-1].time < start or usage.source is None:
        return {}
    first, last = (samples[0] if samples[0].time < start else None), samples[-1]
    within = samples[1:] if first is not None else samples
    source = usage.source
    found: dict[str, float | None] = {
        semconv.USAGE_MEMORY_PEAK: max(sample.memory_peak for sample in within),
        semconv.USAGE_MEMORY_LIMIT: source.memory_limit or None,
        semconv.USAGE_CPU_TIME: _grown(first, last, "cpu_user", "cpu_system"),
        semconv.USAGE_CPU_PEAK: most(*(sample.cpus for sample in within)),
        semconv.USAGE_CPU_LIMIT: source.cpus,
        semconv.USAGE_PROCESSES_PEAK: max(sample.processes for sample in within),
        semconv.USAGE_DISK_READ: _grown(first, last, "disk_read"),
        semconv.USAGE_DISK_WRITE: _grown(first, last, "disk_written"),
        # The namespace had counted before the job began.
        semconv.USAGE_NETWORK_RECEIVE: _grown(first or within[0], last, "received"),
        semconv.USAGE_NETWORK_TRANSMIT: _grown(first or within[0], last, "sent"),
        semconv.USAGE_GPU_UTILIZATION_PEAK: most(*(gpu.utilization for sample in within for gpu in sample.gpus)),
        semconv.USAGE_GPU_MEMORY_PEAK: most(*(_together(sample, "memory") for sample in within)),
        semconv.USAGE_GPU_POWER_PEAK: most(*(_together(sample, "power") for sample in within)),
    }
    return {key: round(value, 3) for key, value in found.items() if value is not None}


def _grown(first: UsageSample | None, last: UsageSample, *counters: str) -> float | None:
    """Return by how much counters have grown together; None where they are not known."""
    values = [getattr(last, counter) for counter in counters]
    before = [getattr(first, counter) for counter in counters] if first is not None else [0]
    if None in values or None in before:
        return None
    return max(sum(values) - sum(before), 0)


def _together(sample: UsageSample, what: str) -> float | None:
    values = [value for gpu in sample.gpus if (value := getattr(gpu, what)) is not None]
    return sum(values) if values else None
