"""A sink, journals, and shippers in this process that sample what jobs use."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from synapse_otel.shipper.usage.sampler import Sampler
from tests.faults.running import Place
from tests.shipping import shipper_of
from tests.sink import Sink

JOBS = Path(__file__).with_name("jobs.py")


class Shipping:
    """A shipper in a thread of this process, which looks all the time, and samples often."""

    def __init__(self, place: Place, **options: Any) -> None:
        configuration = place.configuration()
        self.said: list[str] = []
        self.shipper = shipper_of(
            [place.root],
            configuration.destination,
            configuration.key,
            interval_seconds=0.2,
            say=self.said.append,
            usage_seconds=0.6,
        )
        self.shipper._sampler = Sampler(0.6, self.said.append, **options)
        self.shipper._journals._taken = self.shipper._sampler.attach
        self._thread = Thread(target=self.shipper.run, kwargs={"idle_seconds": None})
        self._thread.start()

    def stop(self) -> None:
        self.shipper.stop_soon()
        self._thread.join()


@pytest.fixture
def place(tmp_path: Path, sink: Sink) -> Iterator[Place]:
    """Journals that go to the sink, if somebody delivers them."""
    found = Place(tmp_path / "journals", sink.url, {"SYNAPSE_OTEL_SHIPPER": "off", "SYNAPSE_OTEL_EXIT_TIMEOUT": "0"})
    found.root.mkdir(mode=0o700)
    yield found
    found.end()


@pytest.fixture
def shipping(place: Place) -> Iterator[Callable[..., Shipping]]:
    """Start a shipper; what is given goes to its sampler."""
    started: list[Shipping] = []

    def start(**options: Any) -> Shipping:
        started.append(Shipping(place, **options))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def start_job(place: Place) -> Callable[..., subprocess.Popen[str]]:
    """Start a job of `jobs.py`, and return when it has begun."""

    def start(name: str, *arguments: object) -> subprocess.Popen[str]:
        job = place.start(name, *arguments, program=JOBS)
        assert job.stdout.readline().startswith("ready")
        return job

    return start


def go_on(job: subprocess.Popen[str]) -> str:
    """Have a job go on, and return what it says next."""
    job.stdin.write("\n")
    job.stdin.flush()
    return str(job.stdout.readline())
