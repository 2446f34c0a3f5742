"""What a job used: a file beside the journal, written by who samples it, never by the job itself.

A row of frames, as in a segment, of kinds of its own. It is appended to, and thinned out when it has grown, so that a
job of a week takes no more room than one of some hours: older samples are joined, counters as they stood at the end,
everything else with its highest value.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from pathlib import Path
from typing import Any, Final

import msgspec

from synapse_otel.journal.files.descriptors import open_file
from synapse_otel.journal.folder import replace_file
from synapse_otel.journal.frames import HEADER, HEADER_SIZE, LARGEST_PAYLOAD, MARK, MARK_BYTES, checksum, frame, seed

USAGE_FILE: Final = "usage"
MOST_SAMPLES: Final = 1_440
"""Then they are thinned out to half of that at most: two hours at one in 5 seconds."""


class UsageKind(IntEnum):
    """Kinds of frames in the file."""

    SOURCE = 64
    SAMPLE = 65
    OOM_KILL = 66


class _Payload(msgspec.Struct, array_like=True, gc=False):
    pass


class Gpu(_Payload):
    """A GPU that the job may use."""

    index: int
    """As the driver counts."""
    id: str
    """Its UUID."""
    model: str
    memory: int = 0
    """Bytes that it has."""


class UsageSource(_Payload):
    """What the samples are of, and the limits that hold from here on."""

    started: int
    """Unix time in ns at which the process began: its counters began at 0 then."""
    cpus: float
    """CPUs that the job may use: those of its affinity, or of its cgroup's quota."""
    memory_limit: int = 0
    """Bytes that its cgroup may use; 0 where there is no limit."""
    host_cpus: int = 0
    host_memory: int = 0
    """Bytes."""
    cgroup: str = ""
    """Folder of the cgroup that accounts its memory; empty where there is none."""
    gpus: list[Gpu] = []
    gpus_by: str = ""
    """How its GPUs were found: ``processes``, ``CUDA_VISIBLE_DEVICES``, or ``all`` where nothing tells which."""


class GpuSample(_Payload):
    """A GPU at one time; None is what the driver does not tell."""

    index: int
    utilization: float | None = None
    """0 to 1."""
    memory: int | None = None
    """Bytes in use, whoever uses them."""
    power: float | None = None
    """Watts."""


class UsageSample(_Payload):
    """The job's processes at one time. Counters are totals, also of processes that have ended; None: not to be had."""

    time: int
    """Unix time in ns."""
    cpu_user: float
    """Seconds."""
    cpu_system: float
    """Seconds."""
    cpus: float | None
    """CPUs that were kept busy since the sample before; None in the first one."""
    memory: int
    """Bytes: the resident sets of all processes added up."""
    memory_peak: int
    """The highest that is known since the sample before, for who has seen what happened in between."""
    processes: int
    disk_read: int | None = None
    disk_written: int | None = None
    received: int | None = None
    """Bytes over the interfaces of the job's network namespace."""
    sent: int | None = None
    host_cpu: float | None = None
    """Share of all CPUs of the host that was busy, 0 to 1."""
    host_memory: int | None = None
    """Bytes of the host's memory in use."""
    oom_kills: int | None = None
    """Processes of its cgroup that the kernel has killed for want of memory, ever."""
    gpus: list[GpuSample] = []


class OomKill(_Payload):
    """The process died while the kernel killed for want of memory in its cgroup."""

    time: int
    """Unix time in ns at which it was seen."""


_STRUCTURES: Final[dict[int, type[_Payload]]] = {
    UsageKind.SOURCE: UsageSource,
    UsageKind.SAMPLE: UsageSample,
    UsageKind.OOM_KILL: OomKill,
}
_DECODERS: Final[dict[int, msgspec.msgpack.Decoder[Any]]] = {
    kind: msgspec.msgpack.Decoder(structure) for kind, structure in _STRUCTURES.items()
}
_KINDS: Final = {structure: kind for kind, structure in _STRUCTURES.items()}
_encode: Final = msgspec.msgpack.Encoder().encode


class Usage:
    """What the file of a journal holds."""

    def __init__(self, structures: Iterable[_Payload] = ()) -> None:
        self.source: UsageSource | None = None
        """The last one."""
        self.samples: list[UsageSample] = []
        self.oom_kill: OomKill | None = None
        for found in structures:
            match found:
                case UsageSource():
                    self.source = found
                case UsageSample():
                    self.samples.append(found)
                case OomKill():
                    self.oom_kill = found


def read_usage(folder: Path) -> Usage:
    """Return what a journal's process used; nothing where nobody has sampled it. What is damaged is left out."""
    try:
        data = (folder / USAGE_FILE).read_bytes()
    except OSError:
        return Usage()
    return Usage(_structures(data))


def usage_written(folder: Path) -> int:
    """Return when the file was written to last, as Unix time in ns; 0 where there is none."""
    try:
        return (folder / USAGE_FILE).stat().st_mtime_ns
    except OSError:
        return 0


class UsageWriter:
    """Appends to the file of a journal, and thins it out."""

    def __init__(self, folder: Path, most: int = MOST_SAMPLES) -> None:
        """Go on with what is there.

        Args:
            folder: the journal's.
            most: how many samples there may be before they are thinned out to half of that.
        """
        self._path = folder / USAGE_FILE
        self._folder = folder
        self._most = most
        known = read_usage(folder)
        self._count = len(known.samples)
        self.last = known.samples[-1] if known.samples else None
        """The last sample that was there..."""
        self.source = known.source
        """... and what it was of."""

    def append(self, *structures: _Payload) -> None:
        """Append what was found.

        Raises:
            OSError: it cannot be written.
        """
        data = b"".join(_frame(structure) for structure in structures)
        descriptor = open_file(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            os.write(descriptor, data)
        finally:
            os.close(descriptor)
        self._count += sum(isinstance(structure, UsageSample) for structure in structures)
        if self._count >= self._most:
            self._thin()

    def _thin(self) -> None:
        known = read_usage(self._folder)
        kept = thinned(known.samples, self._most // 2)
        whole = [known.source, *kept, known.oom_kill]
        replace_file(self._path, b"".join(_frame(structure) for structure in whole if structure is not None))
        self._count = len(kept)


def thinned(samples: list[UsageSample], count: int) -> list[UsageSample]:
    """Return at most so many samples: all that fall into one step of the clock, each step as long as any other, as one.

    Steps are doubled until it fits, from about a second on: what was thinned out before is cut at the same places.
    """
    if len(samples) <= count:
        return samples
    step = 1 << 30
    while len({sample.time // step for sample in samples}) > count:
        step *= 2
    return _joined_by(samples, step)


def _joined_by(samples: Iterable[UsageSample], step: int) -> list[UsageSample]:
    kept: list[UsageSample] = []
    for sample in samples:
        if kept and kept[-1].time // step == sample.time // step:
            kept[-1] = _joined(kept[-1], sample)
        else:
            kept.append(sample)
    return kept


def _joined(one: UsageSample, other: UsageSample) -> UsageSample:
    """Return two samples as one, at the time of the later."""
    gpus = {gpu.index: gpu for gpu in one.gpus}
    for gpu in other.gpus:
        known = gpus.get(gpu.index, gpu)
        gpus[gpu.index] = GpuSample(
            gpu.index,
            most(known.utilization, gpu.utilization),
            most(known.memory, gpu.memory),
            most(known.power, gpu.power),
        )
    return msgspec.structs.replace(
        other,
        cpus=most(one.cpus, other.cpus),
        memory=max(one.memory, other.memory),
        memory_peak=max(one.memory_peak, other.memory_peak),
        processes=max(one.processes, other.processes),
        host_cpu=most(one.host_cpu, other.host_cpu),
        host_memory=most(one.host_memory, other.host_memory),
        gpus=list(gpus.values()),
    )


def most(*values: Any) -> Any:
    """Return the highest of the values that there are; None where there is none."""
    return max((value for value in values if value is not None), default=None)


def _frame(structure: _Payload) -> bytes:
    return frame(_KINDS[type(structure)], _encode(structure))


def _structures(data: bytes) -> Iterator[_Payload]:
    at = data.find(MARK_BYTES)
    while 0 <= at <= len(data) - HEADER_SIZE:
        found, behind = _read(data, at)
        if found is not None:
            yield found
        at = data.find(MARK_BYTES, behind)


def _read(data: bytes, at: int) -> tuple[_Payload | None, int]:
    """Return what stands in a frame, and where to look on; None where it is no whole one, or of an unknown kind."""
    mark, kind, count, length, check, sequence = HEADER.unpack_from(data, at)
    begin = at + HEADER_SIZE
    payload = data[begin : begin + length]
    if mark != MARK or length > LARGEST_PAYLOAD or checksum(payload, seed(kind, count, sequence)) != check:
        return None, at + 1
    decode: Callable[[bytes], Any] | None = _DECODERS[kind].decode if kind in _DECODERS else None
    try:
        return (decode(payload) if decode else None), begin + length
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None, begin + length
