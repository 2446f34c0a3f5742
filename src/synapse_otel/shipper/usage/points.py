"""Resource usage of a job, as OpenTelemetry metrics, and as attributes of its span."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final

from synapse_otel import semconv
from synapse_otel.journal.usage import Gpu, GpuSample, Usage, UsageSample, UsageSource
from synapse_otel.journal.usage_totals import usage_totals
from synapse_otel.otlp.encode.metrics import points_of

_Value = tuple[semconv.Metric, dict[str, Any], float | None]


def usage_points(source: UsageSource, sample: UsageSample, job: dict[str, Any]) -> list[bytes]:
    """Return the ``Metric`` messages of a sample, with the attributes of the job's metrics."""
    known = _encoders(tuple(job.items()))
    start, now = min(source.started, sample.time), sample.time
    found = []
    for what, own, value in _values(source, sample):
        if value is not None:
            key = (what.name, *own.values())
            if key not in known:
                given = what.instrument, what.name, what.unit, what.description
                known[key] = points_of(*given, {**job, **own})
            found.append(known[key](start, now, value))
    return found


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


_Encoder = Callable[[int, int, float], bytes]


@lru_cache(maxsize=64)
def _encoders(_job: tuple[tuple[str, Any], ...]) -> dict[tuple[str, ...], _Encoder]:
    """Return what encodes the points of a job's series, by the metric's name and its own attributes' values."""
    return {}


def usage_attributes(usage: Usage, start: int, end: int) -> dict[str, Any]:
    """Return the usage attributes of a span, from its beginning to its end; empty if there are no samples."""
    totals = usage_totals(usage, start, end)
    if totals is None:
        return {}
    found = zip(_ATTRIBUTES, totals, strict=True)
    return {key: round(value, _DIGITS) for key, value in found if value is not None}


_DIGITS: Final = 3
_ATTRIBUTES: Final = (
    semconv.USAGE_MEMORY_PEAK,
    semconv.USAGE_MEMORY_LIMIT,
    semconv.USAGE_CPU_TIME,
    semconv.USAGE_CPU_PEAK,
    semconv.USAGE_CPU_LIMIT,
    semconv.USAGE_PROCESSES_PEAK,
    semconv.USAGE_DISK_READ,
    semconv.USAGE_DISK_WRITE,
    semconv.USAGE_NETWORK_RECEIVE,
    semconv.USAGE_NETWORK_TRANSMIT,
    semconv.USAGE_GPU_UTILIZATION_PEAK,
    semconv.USAGE_GPU_MEMORY_PEAK,
    semconv.USAGE_GPU_POWER_PEAK,
)
"""In the order of `UsageTotals`."""
