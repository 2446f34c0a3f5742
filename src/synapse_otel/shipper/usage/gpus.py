"""NVIDIA GPUs of jobs, read with the driver's library (``nvidia-ml-py``), if both exist.

A job's GPUs are those on which its processes compute. In a container the driver reports the host's process ids, or
none: then they are those in CUDA_VISIBLE_DEVICES, or else all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from synapse_otel.journal.usage import Gpu, GpuSample
from synapse_otel.shipper.usage.proc_tree import PROC

DRIVER: Final = (Path("/dev/nvidiactl"), Path("/proc/driver/nvidia/version"), Path("/dev/dxg"))
"""Files of a driver; without one of them, the library is not loaded."""
BY_PROCESSES: Final = "processes"
BY_VARIABLE: Final = "CUDA_VISIBLE_DEVICES"
BY_NOTHING: Final = "all"
_INITIAL_NAMESPACE: Final = 0xEFFFFFFC
"""Number of the namespace of process numbers that the machine itself has (Linux)."""
_MILLIWATTS: Final = 1000
_T = TypeVar("_T")


class Device(NamedTuple):
    """A GPU, now."""

    gpu: Gpu
    sample: GpuSample
    pids: frozenset[int]
    """Processes that compute on it."""


class Gpus:
    """The GPUs of this machine."""

    def __init__(self, say: Callable[[str], None], driver: Iterable[Path] = DRIVER) -> None:
        """Load the library, if one of a driver's files exists; ``say`` is called with a line if something fails."""
        self._say = say
        self._library: Any = None
        self._handles: list[tuple[Any, Gpu]] = []
        if any(path.exists() for path in driver) and find_spec("pynvml") is not None:
            self._load()

    def _load(self) -> None:
        try:
            import pynvml

            pynvml.nvmlInit()
            self._library = pynvml
            for index in range(pynvml.nvmlDeviceGetCount()):
                handle = pynvml.nvmlDeviceGetHandleByIndex(index)
                self._handles.append((handle, self._gpu(pynvml, index, handle)))
        except Exception as error:  # noqa: BLE001 - whatever a library for some hardware raises
            self._say(f"no GPUs are sampled: {type(error).__name__}: {error}")

    def _gpu(self, library: Any, index: int, handle: Any) -> Gpu:
        memory = self._ask(lambda: library.nvmlDeviceGetMemoryInfo(handle).total)
        identity, model = library.nvmlDeviceGetUUID(handle), library.nvmlDeviceGetName(handle)
        return Gpu(index, _text(identity), _text(model), memory or 0)

    def read(self) -> list[Device]:
        """Return their current usage."""
        return [self._device(handle, gpu) for handle, gpu in self._handles]

    def _device(self, handle: Any, gpu: Gpu) -> Device:
        library = self._library
        busy = self._ask(lambda: library.nvmlDeviceGetUtilizationRates(handle).gpu)
        memory = self._ask(lambda: library.nvmlDeviceGetMemoryInfo(handle).used)
        power = self._ask(lambda: library.nvmlDeviceGetPowerUsage(handle))
        running = self._ask(lambda: library.nvmlDeviceGetComputeRunningProcesses(handle)) or []
        sample = GpuSample(
            gpu.index,
            None if busy is None else busy / 100,
            None if memory is None else int(memory),
            None if power is None else power / _MILLIWATTS,
        )
        return Device(gpu, sample, frozenset(process.pid for process in running))

    def _ask(self, question: Callable[[], _T]) -> _T | None:
        try:
            return question()
        except Exception as error:  # noqa: BLE001 - as above; what a GPU cannot tell is no failure of the others
            if "NotSupported" not in type(error).__name__:
                self._say(f"a GPU cannot be sampled: {type(error).__name__}: {error}")
            return None

    def close(self) -> None:
        """Release the driver."""
        library, self._library = self._library, None
        if library is not None:
            with suppress(Exception):
                library.nvmlShutdown()


def of_job(devices: list[Device], pids: frozenset[int], root: int, proc: Path = PROC) -> tuple[list[Device], str]:
    """Return a job's GPUs, and how they were found.

    Args:
        devices: all of the machine.
        pids: the job's processes.
        root: the process that records.
        proc: mount point of the proc file system.
    """
    own = [device for device in devices if device.pids & pids]
    if own or not devices or _sees_all(proc):
        return own, BY_PROCESSES if devices else ""
    named = _visible(root, proc)
    if named is None:
        return devices, BY_NOTHING
    return [device for device in devices if _is_named(device.gpu, named)], BY_VARIABLE


def _visible(pid: int, proc: Path) -> list[str] | None:
    """Return the GPUs that a process was started with, by number or UUID; None if its environment names none."""
    try:
        variables = (proc / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return None
    prefix = f"{BY_VARIABLE}=".encode()
    for variable in variables:
        if variable.startswith(prefix):
            words = variable.removeprefix(prefix).decode("utf-8", "replace").split(",")
            return [word.strip() for word in words if word.strip()]
    return None


def _is_named(gpu: Gpu, named: list[str]) -> bool:
    return any(word == str(gpu.index) or (word.startswith("GPU-") and gpu.id.startswith(word)) for word in named)


def _sees_all(proc: Path) -> bool:
    """Return whether this process sees all processes of the machine under the ids that the driver uses."""
    try:
        return os.stat(proc / "self" / "ns" / "pid").st_ino == _INITIAL_NAMESPACE
    except OSError:
        return False


def _text(value: str | bytes) -> str:
    """Return a text of the library, which older ones give as bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
