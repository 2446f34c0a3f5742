"""A folder of journals that containers share: a job in one pid and mount namespace, a shipper in another.

Each sees the folder under a path of its own, and processes of the other not at all. Only the locks tell of them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from synapse_otel.shipper.configuration import ORDERS_VARIABLE
from synapse_otel.shipper.launch import _PACKAGES, _PROGRAM
from tests.eventually import eventually
from tests.faults.running import JOBS, Place
from tests.faults.test_shipper_process import is_delivered, messages
from tests.sink import attributes

pytestmark = pytest.mark.once

UNSHARE = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]


class Containers:
    """Processes in namespaces of their own, in which the shared folder is bound to another path."""

    def __init__(self, place: Place, tmp_path: Path) -> None:
        self.place = place
        self.places = tmp_path
        self.running: list[subprocess.Popen[str]] = []

    def start(self, name: str, command: list[str], **variables: str) -> subprocess.Popen[str]:
        """Start a command whose first process is number 1 in its namespace; ``{folder}`` is the folder's path in it."""
        inside = self.places / name
        inside.mkdir()
        script = f'mount --bind "{self.place.root}" "{inside}" && exec "$@"'
        here = [part.replace("{folder}", str(inside)) for part in command]
        process = subprocess.Popen(
            [*UNSHARE, "/bin/sh", "-c", script, "sh", *here],
            env={
                **self.place.environment(),
                **{key: value.replace("{folder}", str(inside)) for key, value in variables.items()},
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.running.append(process)
        return process

    def start_job(self, name: str, shipper: str) -> subprocess.Popen[str]:
        job = self.start(
            name,
            [sys.executable, str(JOBS), "waiting"],
            SYNAPSE_OTEL_JOURNAL_DIR="{folder}",
            SYNAPSE_OTEL_SHIPPER=shipper,
        )
        assert job.stdout.readline() == "ready\n"
        return job

    def start_shipper(self, name: str) -> subprocess.Popen[str]:
        configuration = msgspec.structs.replace(self.place.configuration(), roots=["{folder}"])
        command = [sys.executable, "-P", "-c", _PROGRAM, _PACKAGES, *filter(None, sys.path)]
        shipper = self.start(name, command, **{ORDERS_VARIABLE: msgspec.json.encode(configuration).decode()})
        eventually(self.place.is_shipping)
        return shipper


@pytest.fixture
def containers(place: Place, tmp_path: Path) -> Iterator[Containers]:
    allowed = subprocess.run([*UNSHARE, "true"], check=False, capture_output=True, text=True)
    if allowed.returncode:
        pytest.skip(f"no namespaces of one's own are permitted here: {allowed.stderr.strip()}")
    place.root.mkdir(mode=0o700)
    made = Containers(place, tmp_path)
    yield made
    for process in made.running:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            stream.close()


def child_of(process: subprocess.Popen[str]) -> int:
    """Return, as it is called out here, the first process in a namespace."""
    return int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())


def inner_number(pid: int) -> int:
    """Return what a process is called in its own namespace."""
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("NSpid:")]
    return int(line.split()[-1])


def test_a_shipper_in_another_container_delivers_a_job_and_sees_its_death_by_the_lock_alone(sink, containers):
    containers.start_shipper("sidecar")
    job = containers.start_job("job", "off")
    sink.wait(lambda: any(attributes(span).get("synapse.span.marker") for span in sink.spans(markers=True)))
    number = child_of(job)
    assert inner_number(number) == 1, "the shipper is process 1 too, and lives: the number tells nothing"

    os.kill(number, signal.SIGKILL)
    eventually(lambda: is_delivered(containers.place))

    [end] = [attributes(record) for record in sink.logs() if record.event_name == "synapse.job.finished"]
    assert end["error.type"] == "killed"
    assert sink.last("synapse.job.progress.current", synapse_category="wait") == 1
    assert containers.place.is_shipping()


def test_a_job_that_ends_well_is_told_from_a_killed_one_in_another_container(sink, containers):
    containers.start_shipper("sidecar")
    jobs = [containers.start_job(f"job-{number}", "off") for number in range(2)]
    os.kill(child_of(jobs[0]), signal.SIGKILL)
    jobs[1].stdin.close()
    eventually(lambda: len(containers.place.folders()) == 2 and is_delivered(containers.place))
    ends = [attributes(record) for record in sink.logs() if record.event_name == "synapse.job.finished"]
    assert sorted(end["synapse.job.result"] for end in ends) == ["error", "success"]


def test_a_job_starts_no_shipper_beside_the_one_of_another_container(sink, containers):
    containers.start_shipper("sidecar")
    job = containers.start_job("job", "process")
    first = child_of(job)
    assert Path(f"/proc/{first}/task/{first}/children").read_text() == ""
    job.stdin.close()
    eventually(lambda: is_delivered(containers.place))
    assert job.wait(10) == 0
    assert messages(sink) == []
    assert len(containers.place.shippers()) <= 1


def test_a_shipper_that_dies_with_its_container_is_replaced_by_one_in_another(sink, containers):
    sidecar = containers.start_shipper("sidecar")
    job = containers.start_job("job", "off")
    os.kill(child_of(sidecar), signal.SIGKILL)
    eventually(lambda: not containers.place.is_shipping())
    containers.start_shipper("another")
    job.stdin.close()
    eventually(lambda: is_delivered(containers.place))
    uids = [attributes(record)["log.record.uid"] for record in sink.logs()]
    assert len({uid for uid in uids if uid.count("-") == 1}) >= 4
