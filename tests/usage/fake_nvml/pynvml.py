"""Stands in for nvidia-ml-py: two GPUs, as a file says that stands beside this one's copy."""

# ruff: noqa: N802 - the names are those of the library
from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

STATE = Path(__file__).with_name("gpus.json")


class NVMLError(Exception):
    pass


class NVMLError_NotSupported(NVMLError):  # noqa: N801, N818 - its name there
    pass


def _state():
    return json.loads(STATE.read_text())


def _gpu(handle):
    found = _state()["gpus"][handle]
    if found == "lost":
        raise NVMLError("GPU is lost")
    return found


def nvmlInit():
    if _state().get("broken"):
        raise NVMLError("Driver/library version mismatch")


def nvmlShutdown():
    STATE.with_name("shut").touch()


def nvmlDeviceGetCount():
    return len(_state()["gpus"])


def nvmlDeviceGetHandleByIndex(index):
    return index


def nvmlDeviceGetUUID(handle):
    return f"GPU-{handle}{handle}{handle}{handle}"


def nvmlDeviceGetName(handle):
    return b"NVIDIA Test"  # as older releases give it


def nvmlDeviceGetMemoryInfo(handle):
    return SimpleNamespace(total=1 << 34, used=_gpu(handle)["memory"])


def nvmlDeviceGetUtilizationRates(handle):
    return SimpleNamespace(gpu=_gpu(handle)["busy"], memory=0)


def nvmlDeviceGetPowerUsage(handle):
    power = _gpu(handle).get("power")
    if power is None:
        raise NVMLError_NotSupported("Not Supported")
    return power * 1000


def nvmlDeviceGetComputeRunningProcesses(handle):
    return [SimpleNamespace(pid=pid) for pid in _gpu(handle)["pids"]]
