"""Resource usage of a job: a file next to the journal, written by the sampling shipper, never by the job itself.

It is a sequence of frames, as in a segment, with its own kinds. It is appended to, and thinned out when it has grown,
so that a job of a week takes no more space than one of some hours: older samples are merged, with the last value of
counters and the highest of everything else.
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
"""Above this number they are thinned out to at most half: two hours at one per 5 seconds."""


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
    """The driver's index."""
    id: str
    """Its UUID."""
    model: str
    memory: int = 0
    """Total bytes."""


class UsageSource(_Payload):
    """The sampled process, and its limits from here on."""

    started: int
    """Unix time in ns at which the process began: its counters began at 0 then."""
    cpus: float
    """CPUs that the job may use: those of its affinity, or of its cgroup's quota."""
    memory_limit: int = 0
    """Memory limit of its cgroup in bytes; 0: no limit."""
    host_cpus: int = 0
    host_memory: int = 0
    """Bytes."""
    cgroup: str = ""
    """Folder of the cgroup that accounts its memory; empty if there is none."""
    gpus: list[Gpu] = []
    gpus_by: str = ""
    """How its GPUs were found: ``processes``, ``CUDA_VISIBLE_DEVICES``, or ``all`` if they are unknown."""


class GpuSample(_Payload):
    """A GPU at one time; None: the driver does not report it."""

    index: int
    utilization: float | None = None
    """0 to 1."""
    memory: int | None = None
    """Bytes in use, by all processes."""
    power: float | None = None
    """Watts."""


class UsageSample(_Payload):
    """The job's processes at one time. Counters are totals, including ended processes; None: not available."""

    time: int
    """Unix time in ns."""
    cpu_user: float
    """Seconds."""
    cpu_system: float
    """Seconds."""
    cpus: float | None
    """Busy CPUs since the previous sample; None in the first one."""
    memory: int
    """Bytes: the resident sets of all processes added up."""
    memory_peak: int
    """The highest known value since the previous sample, including spikes in between."""
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
    """Total number of out-of-memory kills in its cgroup."""
    gpus: list[GpuSample] = []


class OomKill(_Payload):
    """The process died during an out-of-memory kill in its cgroup."""

    time: int
    """Unix time in ns of the observation."""


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
    """The content of a journal's usage file."""

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
    """Return the resource usage of a journal's process; empty if it was not sampled. Damaged frames are skipped."""
    try:
        data = (folder / USAGE_FILE).read_bytes()
    except OSError:
        return Usage()
    return Usage(_structures(data))


def usage_written(folder: Path) -> int:
    """Return the modification time of the file, as Unix time in ns; 0 if there is none."""
    try:
        return (folder / USAGE_FILE).stat().st_mtime_ns
    except OSError:
        return 0


class UsageWriter:
    """Appends to the file of a journal, and thins it out."""

    def __init__(self, folder: Path, most: int = MOST_SAMPLES) -> None:
        """Continue the existing file; above ``most`` samples they are thinned out to half."""
        self._path = folder / USAGE_FILE
        self._folder = folder
        self._most = most
        known = read_usage(folder)
        self._count = len(known.samples)
        self.last = known.samples[-1] if known.samples else None
        """The last sample in the file..."""
        self.source = known.source
        """... and its source."""

    def append(self, *structures: _Payload) -> None:
        """Append a frame.

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
    """Return at most so many samples: all samples of one time interval are merged; intervals have equal length.

    Intervals are doubled until it fits, from about a second on, so that thinning again uses the same boundaries.
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
    """Return the highest value; None if there is none."""
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
    """Return a frame's structure, and the next position; None if it is incomplete or of an unknown kind."""
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
