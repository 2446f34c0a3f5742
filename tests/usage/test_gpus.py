"""GPUs, as a library tells of them that stands in for the driver's; and as the real one does, where there is one."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from synapse_otel import semconv
from synapse_otel.journal.usage import Gpu, GpuSample, read_usage
from synapse_otel.shipper.usage.gpus import DRIVER, Device, Gpus, of_job
from tests.eventually import eventually
from tests.sink import attributes
from tests.usage.test_sampling import samples, span_of

pytestmark = pytest.mark.once

FAKE = Path(__file__).with_name("fake_nvml") / "pynvml.py"


@pytest.fixture
def nvml(tmp_path, monkeypatch):
    """Put the library on the path, and return what tells it what to tell."""
    place = tmp_path / "nvml"
    place.mkdir()
    shutil.copy(FAKE, place)
    monkeypatch.syspath_prepend(str(place))
    monkeypatch.delitem(sys.modules, "pynvml", raising=False)

    def tell(*gpus, **more):
        making = place / "making"
        making.write_text(json.dumps({"gpus": list(gpus), **more}))
        making.replace(place / "gpus.json")

    yield tell
    sys.modules.pop("pynvml", None)


def gpu(busy=0, memory=0, power=100, pids=()):
    return {"busy": busy, "memory": memory, "power": power, "pids": list(pids)}


@pytest.mark.skipif(
    os.readlink("/proc/self/ns/pid") != "pid:[4026531836]", reason="a container is told of all its GPUs"
)
def test_the_gpu_that_a_jobs_process_computes_on_is_told_of_and_no_other(
    sink, place, shipping, start_job, *, nvml, tmp_path
):
    nvml(gpu(90, 1 << 30), gpu(80, 1 << 31, pids=[os.getpid()]))
    started = shipping(driver=[tmp_path])
    job = start_job("wait")
    (folder,) = place.folders()
    eventually(lambda: samples(folder), within=60)
    assert not samples(folder)[-1].gpus, "it computes on none yet"
    nvml(gpu(90, 1 << 30), gpu(40, 1 << 32, 250, [1, job.pid]))
    sink.wait(lambda: sink.last("hw.gpu.utilization") == 0.4, within=60)
    nvml(gpu(90, 1 << 30), gpu(70, 1 << 31, None, [job.pid]))
    sink.wait(lambda: sink.last("hw.gpu.utilization") == 0.7, within=60)
    nvml(gpu(90, 1 << 30), gpu(70, 1 << 31))
    eventually(lambda: not samples(folder)[-1].gpus, within=60)
    job.communicate("\n", timeout=60)
    found = attributes(span_of(sink))
    assert found[semconv.USAGE_GPU_UTILIZATION_PEAK] == 0.7
    assert found[semconv.USAGE_GPU_MEMORY_PEAK] == 1 << 32
    assert found[semconv.USAGE_GPU_POWER_PEAK] == 250
    wanted = {one.name: one for one in semconv.USAGE_METRICS if one.name.startswith("hw.")}
    for name, metric in wanted.items():
        for point in sink.points(name):
            assert set(point.attributes) == set(metric.attributes), name
            assert point.attributes["hw.id"] == "GPU-1111"
            assert (point.attributes["hw.name"], point.attributes["hw.model"]) == ("GPU 1", "NVIDIA Test")
    assert sink.last("hw.gpu.memory.limit") == 1 << 34
    assert {point.value for point in sink.points("hw.gpu.memory.utilization")} == {1 / 4, 1 / 8}
    assert {point.value for point in sink.points("hw.power")} == {250}, "what it does not tell is left out"
    assert read_usage(folder).source.gpus_by == "processes"
    assert [known.id for known in read_usage(folder).source.gpus] == ["GPU-1111"], "also when it is let go of"
    assert started.said == []
    started.stop()
    assert (tmp_path / "nvml" / "shut").exists()


def test_a_gpu_that_is_lost_is_said_once_and_holds_up_nothing(sink, place, shipping, start_job, *, nvml, tmp_path):
    nvml(gpu(90))
    started = shipping(driver=[tmp_path])
    job = start_job("wait")
    (folder,) = place.folders()
    eventually(lambda: samples(folder), within=60)
    nvml("lost")
    count = len(samples(folder))
    eventually(lambda: len(samples(folder)) > count + 2, within=60)
    job.communicate("\n", timeout=60)
    span_of(sink)
    assert started.said == ["a GPU cannot be sampled: NVMLError: GPU is lost"]


def test_a_library_that_fails_is_said_once_and_the_rest_is_sampled(place, shipping, start_job, nvml, tmp_path):
    nvml(broken=True)
    started = shipping(driver=[tmp_path])
    job = start_job("wait")
    eventually(lambda: samples(place.folders()[0]), within=60)
    job.communicate("\n", timeout=60)
    assert started.said == ["no GPUs are sampled: NVMLError: Driver/library version mismatch"]


def test_without_a_driver_the_library_is_not_loaded(nvml, tmp_path):
    nvml(gpu())
    assert Gpus(print, [tmp_path / "none"]).read() == []
    assert "pynvml" not in sys.modules


def test_without_the_library_there_are_no_gpus(tmp_path, monkeypatch):
    monkeypatch.setattr("synapse_otel.shipper.usage.gpus.find_spec", lambda _name: None)
    said = []
    assert Gpus(said.append, [tmp_path]).read() == []
    assert said == []


@pytest.mark.parametrize(
    ("variable", "indices", "by"),
    [
        (None, [0, 1], "all"),
        ("1", [1], "CUDA_VISIBLE_DEVICES"),
        ("GPU-00,7", [0], "CUDA_VISIBLE_DEVICES"),
        ("", [], "CUDA_VISIBLE_DEVICES"),
        ("-1", [], "CUDA_VISIBLE_DEVICES"),
    ],
)
def test_in_a_container_the_variable_tells_or_nothing(variable, indices, by, tmp_path):
    (tmp_path / "5").mkdir()
    told = b"" if variable is None else f"CUDA_VISIBLE_DEVICES={variable}".encode()
    (tmp_path / "5" / "environ").write_bytes(b"A=b\0" + told + b"\0PATH=x\0")
    devices = [Device(Gpu(one, f"GPU-{one}{one}", "m"), GpuSample(one), frozenset({99})) for one in (0, 1)]
    found, told_by = of_job(devices, frozenset({5}), 5, tmp_path)  # its ``self`` is not the machine's own
    assert ([device.gpu.index for device in found], told_by) == (indices, by)


@pytest.mark.skipif(not any(path.exists() for path in DRIVER), reason="no driver of a GPU here")
def test_a_real_gpu_tells_of_itself():
    said: list[str] = []
    devices = Gpus(said.append).read()
    assert devices, said
    for device in devices:
        assert device.gpu.memory > 0
        assert device.sample.utilization is None or 0 <= device.sample.utilization <= 1
        assert device.sample.memory is not None
