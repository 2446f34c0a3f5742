"""The shipper's process: killed, started twice, left alone, given too much to do. Nothing is lost; one is enough."""

from __future__ import annotations

import os
import pty
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Thread

import msgspec
import pytest

from synapse_otel.journal import frames
from synapse_otel.journal.creation import create_journal
from synapse_otel.journal.cursor import read_cursor
from synapse_otel.journal.frames import Kind
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper import launch as start
from synapse_otel.shipper.configuration import Limits, log_path
from synapse_otel.shipper.launch import ensure_shipper
from tests.eventually import eventually
from tests.faults.running import Place, cpu_seconds, resident_mebibytes
from tests.faults.running import descriptors as descriptors_of
from tests.faults.test_kill import Told, check_account, start_training
from tests.shipping import shipper_of
from tests.sink import ACCEPT, Answer, Sink, attributes, body

pytestmark = pytest.mark.once

SHIPPER_JOBS = Path(__file__).with_name("shipper_jobs.py")
MEBIBYTES = 40
MEASURED_SECONDS = 4.0
JOBS = 6


def start_job(place: Place, name: str, *arguments: object, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(SHIPPER_JOBS), name, *map(str, arguments)],
        env=place.environment(),
        text=True,
        **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
    )


def start_shipper(place: Place, **changed: object) -> int:
    ensure_shipper(msgspec.structs.replace(place.configuration(), **changed))
    return eventually(place.shipper)


def is_delivered(place: Place) -> bool:
    folders = place.folders()
    return bool(folders) and all(read_cursor(folder, one).complete for folder in folders for one in Signal)


def tell(job: subprocess.Popen[str], line: str) -> None:
    job.stdin.write(f"{line}\n")
    job.stdin.flush()
    assert job.stdout.readline() == f"done {line}\n"


def descriptors(pid: int) -> list[str]:
    return descriptors_of(Path(f"/proc/{pid}"))


def messages(sink: Sink) -> list[str]:
    return [text for record in sink.logs() if str(text := body(record)).startswith("message ")]


def numbers_in_order_of_arrival(sink: Sink) -> list[int]:
    """Return the numbers of the log records that a job's process made, each where it came first."""
    uids = [attributes(record)["log.record.uid"].split("-") for record in sink.logs()]
    return list(dict.fromkeys(int(parts[1], 16) for parts in uids if len(parts) == 2))


# --- killed -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(2))
def test_a_shipper_killed_at_any_moment_is_started_again_though_no_job_asks_for_it(sink, place, seed):
    chance = random.Random(seed)
    process, output = start_training(place)
    eventually(lambda: "e 1\n" in output.read_text())
    killed = []
    for _ in range(2):
        killed.append(eventually(lambda: (pid := place.shipper()) not in killed and pid))
        time.sleep(chance.uniform(0, 0.4))
        os.kill(killed[-1], signal.SIGKILL)
    process.kill()
    process.communicate(timeout=10)
    if chance.random() < 0.5:
        killed.append(eventually(lambda: (pid := place.shipper()) not in killed and pid))
        os.kill(killed[-1], signal.SIGKILL)

    eventually(lambda: is_delivered(place), within=30)
    told = Told(output.read_text())
    contents: dict[str, set[bytes]] = {}
    for record in sink.logs():
        contents.setdefault(attributes(record)["log.record.uid"], set()).add(record.SerializeToString())
    assert all(len(found) == 1 for found in contents.values()), "one uid, two contents"
    assert set(told.messages) <= {body(record) for record in sink.logs()}
    numbers = numbers_in_order_of_arrival(sink)
    assert numbers == sorted(numbers)
    assert sink.last("synapse.job.progress.current", synapse_category="train") in {told.progress, told.progress + 1}
    check_account(place)


def test_a_shipper_killed_with_what_would_start_it_again_is_started_by_the_job_that_goes_on(sink, place):
    job = start_job(place, "in_steps")
    assert job.stdout.readline() == "ready\n"
    first = eventually(place.shipper)
    place.kill_shipper()
    time.sleep(2.1)  # a job looks no more often than every two seconds
    tell(job, "one")
    second = eventually(place.shipper)
    assert second != first
    sink.wait(lambda: "message of one" in {body(record) for record in sink.logs()})
    job.communicate(timeout=20)
    eventually(lambda: is_delivered(place))
    assert place.shippers() == [second]


@pytest.mark.parametrize(("code", "starts"), [("0", 1), ("143", 1), ("1", 11), ("137", 11)])
def test_what_starts_a_shipper_again_knows_when_to_stop(tmp_path, code, starts):
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, content in {
        "sleep": f'echo "$1" >> {tmp_path}/slept',
        "ship": f"echo >> {tmp_path}/starts; exit {code}",
    }.items():
        (tools / name).write_text(f"#!/bin/sh\n{content}\n")
        (tools / name).chmod(0o700)
    environment = {"PATH": f"{tools}:{os.environ['PATH']}"}
    shell = ["/bin/sh", "-c", f"{start._GUARD} wait", "sh", str(tools / "ship")]
    subprocess.run(shell, env=environment, timeout=20, check=False)
    assert len((tmp_path / "starts").read_text().splitlines()) == starts
    if starts > 1:
        assert (tmp_path / "slept").read_text().split() == [str(number) for number in range(10)]


# --- one is enough ------------------------------------------------------------------------------------


def test_of_many_that_are_started_at_once_one_stays(place):
    for _ in range(2):
        barrier = Barrier(5)
        threads = [Thread(target=start_at_once, args=(place, barrier)) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        eventually(lambda: len(place.shippers()) == 1 and len(processes_of(place)) == 1, within=20)
        place.kill_shipper()


def start_at_once(place: Place, barrier: Barrier) -> None:
    configuration = place.configuration()
    barrier.wait()
    ensure_shipper(configuration)


def processes_of(place: Place) -> list[int]:
    """Return the shippers that were given orders for this folder, also those that do not hold its lock."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command, environment = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
        except OSError:
            continue
        if (
            b"shipper.process" in command
            and b"python" in command.split(b"\0")[0]
            and str(place.root).encode() in environment
        ):
            found.append(int(process.name))
    return found


def test_a_destination_that_changes_between_jobs_has_a_shipper_of_its_own(sink, place):
    place.run("normal")
    with Sink() as other:
        place.endpoint = other.url
        place.run("normal", 5)
        assert len(place.shippers()) == 2
        eventually(lambda: is_delivered(place))
        assert messages(other) == [f"message {number}" for number in range(5)]
    assert messages(sink) == [f"message {number}" for number in range(3)]


def test_a_shipper_that_sends_without_tls_loads_no_openssl(sink, place):
    place.run("normal")
    eventually(lambda: is_delivered(place))
    assert "libcrypto" not in Path(f"/proc/{place.shipper()}/maps").read_text()


@pytest.mark.parametrize("missing", [None, "_md5", "_sha1"])
def test_openssl_is_left_out_only_by_a_python_with_hashes_of_its_own(missing):
    without = f"import sys; sys.modules[{missing!r}] = None\n" if missing else ""
    told = 'import hashlib, random, urllib3; print(sys.modules.get("_ssl", 1) is None, hashlib.md5(b"").hexdigest())'
    done = subprocess.run(
        [sys.executable, "-c", without + start._NO_OPENSSL + told], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(missing is None), "d41d8cd98f00b204e9800998ecf8427e"]
    assert done.stderr == ""


def test_a_job_that_starts_just_as_the_shipper_leaves_is_delivered(sink, place):
    place.variables["SYNAPSE_OTEL_EXIT_TIMEOUT"] = "0"
    job = start_job(place, "on_command", 0.3)
    assert job.stdout.readline() == "ready\n"
    chance = random.Random(1)
    for number in range(JOBS):
        tell(job, f"job-{number}")
        eventually(lambda: is_delivered(place))
        time.sleep(chance.uniform(0.4, 1.6))  # it begins to leave between 0.3 and about 1.3 s after the last delivery
    job.communicate(timeout=10)
    assert {f"message of job-{number}" for number in range(JOBS)} <= {body(record) for record in sink.logs()}
    assert len((place.root / "leaving").read_text()) > 1, "none has left: nothing was tried"


def test_hundreds_of_short_jobs_leave_nothing_behind_in_their_one_shipper(sink, place):
    place.variables["SYNAPSE_OTEL_EXIT_TIMEOUT"] = "0"
    pid = start_shipper(
        place, limits=Limits(kept_runs=1_000)
    )  # or, on a slow machine, the first ones would be deleted meanwhile
    start_job(place, "row", 2).communicate(timeout=20)
    eventually(lambda: is_delivered(place) and not any("journals/2" in path for path in descriptors(pid)))
    before = [path for path in descriptors(pid) if not path.startswith("socket:")]

    row = start_job(place, "row", 200)
    crowd = start_job(place, "crowd", 50)
    for job in (row, crowd):
        job.communicate(timeout=60)

    eventually(lambda: len(place.folders()) >= 252 and is_delivered(place), within=60)
    assert len(messages(sink)) == 2 + 200 + 50, "each once"
    cursors = [read_cursor(folder, one) for folder in place.folders() for one in Signal]
    assert all(cursor.delivered == cursor.sequence and not cursor.dropped for cursor in cursors)
    ended = [attributes(record) for record in sink.logs() if record.event_name == "synapse.job.finished"]
    assert len(ended) == 252
    assert sum(end.get("error.type") == "killed" for end in ended) == 25
    assert place.shippers() == [pid]
    eventually(lambda: [path for path in descriptors(pid) if not path.startswith("socket:")] == before)
    assert len(list(Path(f"/proc/{pid}/task").iterdir())) == 4
    assert Path(f"/proc/{pid}/task/{pid}/children").read_text() == ""
    print(f"after 252 jobs: {resident_mebibytes(pid):.1f} MiB")
    assert resident_mebibytes(pid) <= MEBIBYTES


def test_a_shipper_stops_at_once_at_whatever_moment_it_is_told(place):
    configuration = place.configuration()
    begin = time.monotonic()
    for _ in range(150):
        shipper = shipper_of([place.root], configuration.destination, configuration.key)
        shipper.start()
        shipper.stop()
    assert time.monotonic() - begin < 25, "a thread that misses it sleeps for half a minute"


# --- terminals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["interrupt", "hang up"])
def test_what_a_terminal_sends_to_the_job_does_not_reach_its_shipper(sink, place, how):
    child, terminal = pty.fork()
    if child == 0:
        os.execve(sys.executable, [sys.executable, str(SHIPPER_JOBS), "interrupted"], place.environment())
    said = b""
    while b"ready" not in said:
        said += os.read(terminal, 1000)
    pid = eventually(place.shipper)
    if how == "interrupt":
        os.write(terminal, b"\x03")
        eventually(lambda: os.waitpid(child, os.WNOHANG)[0])
    os.close(terminal)
    if how == "hang up":
        os.waitpid(child, 0)

    eventually(lambda: is_delivered(place))
    [end] = [attributes(record) for record in sink.logs() if record.event_name == "synapse.job.finished"]
    assert end["error.type"] == ("KeyboardInterrupt" if how == "interrupt" else "killed")
    assert place.shippers() == [pid]
    assert int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[4]) == 0, "it has no terminal"


# --- what it takes ------------------------------------------------------------------------------------


def test_a_shipper_with_nothing_to_do_takes_next_to_nothing(place, tmp_path):
    place.variables["OTEL_METRIC_EXPORT_INTERVAL"] = "5000"
    unused = Place(tmp_path / "unused", place.endpoint)
    try:
        pids = {"nothing": start_shipper(unused, interval_seconds=5.0)}
        pids["one quiet job"] = start_shipper(place, interval_seconds=5.0)
        job = place.start("waiting")
        job.stdout.readline()
        time.sleep(6)  # until they look less often
        begin = {what: cpu_seconds(pid) for what, pid in pids.items()}
        time.sleep(MEASURED_SECONDS)
        shares = {what: (cpu_seconds(pid) - begin[what]) / MEASURED_SECONDS * 100 for what, pid in pids.items()}
        for what, pid in pids.items():
            print(f"{what}: {shares[what]:.3f} % of a core, {resident_mebibytes(pid):.1f} MiB")
        killed = time.monotonic()
        job.kill()
        job.communicate()
        eventually(lambda: is_delivered(place))
        print(f"a killed quiet job is delivered after {time.monotonic() - killed:.2f} s")
        assert max(resident_mebibytes(pid) for pid in pids.values()) <= MEBIBYTES
        assert max(shares.values()) < 1, "several times what it takes, for a machine that is busy"
    finally:
        unused.end_shippers()


def dead_journals(place: Place, count: int, records: int, record_bytes: int) -> None:
    for number in range(count):
        writer, _ = create_journal(
            place.root, f"run-{number}", {}, destination=place.configuration().key, budget=1 << 26
        )
        for _ in range(records):
            log = frames.encode([time.time_ns(), 9, None, None, f"of {number} " + "x" * record_bytes, {}, b"", 0])
            writer.append(Kind.LOG, Signal.LOGS, log)
        writer.close()


def test_hundreds_of_journals_that_cannot_be_delivered_take_few_files_and_little_memory(sink, place):
    dead_journals(place, 160, 3, 100)
    dead_journals(place, 40, 150, 4_000)  # more than a request holds
    with Sink() as closed:
        url = closed.url
    configuration = place.configuration()
    away = msgspec.convert(
        msgspec.to_builtins(configuration.destination)
        | {"logs": {**msgspec.to_builtins(configuration.destination.logs), "url": f"{url}/v1/logs"}},
        type(configuration.destination),
    )
    pid = start_shipper(place, destination=away)
    time.sleep(3)
    print(f"200 journals wait: {len(descriptors(pid))} files, {resident_mebibytes(pid):.1f} MiB")
    assert len(descriptors(pid)) < 100
    assert resident_mebibytes(pid) <= MEBIBYTES
    place.kill_shipper()

    pid = start_shipper(place)
    eventually(lambda: is_delivered(place), within=60)
    assert len(sink.logs()) == 160 * 3 + 40 * 150
    print(f"and delivered: {resident_mebibytes(pid):.1f} MiB")
    assert resident_mebibytes(pid) <= MEBIBYTES


# --- leaving ------------------------------------------------------------------------------------------


def test_a_shipper_that_can_deliver_nothing_for_long_leaves_and_the_next_job_starts_another(sink, place):
    sink.answer = lambda _request: Answer(503)
    pid = start_shipper(place, failing_seconds=2.0)
    place.run("normal")
    eventually(lambda: not place.is_shipping(), within=20)
    assert "nothing could be delivered" in log_path(place.root, place.configuration().key).read_text()
    assert not is_delivered(place)
    eventually(lambda: not Path(f"/proc/{pid}").exists())

    sink.answer = lambda _request: ACCEPT
    place.run("normal")
    eventually(lambda: is_delivered(place))
    assert len(messages(sink)) == 6


def test_sigterm_ends_a_shipper_in_good_order_also_one_that_has_just_begun(sink, place):
    for seconds in (0.0, 0.15, 1.0):
        ensure_shipper(place.configuration())
        pid = eventually(lambda: next(iter(processes_of(place)), None))
        time.sleep(seconds)
        os.kill(pid, signal.SIGTERM)
        eventually(lambda: not processes_of(place))
        assert not place.is_shipping()
    time.sleep(0.5)
    assert not processes_of(place), "started again"


# --- a full disk --------------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path, sink: Sink) -> Iterator[Place]:
    """Journals on a disk of 16 MiB of their own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", disk], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    place = Place(disk / "journals", sink.url)
    yield place
    place.end_shippers()
    eventually(lambda: not place.shippers())
    subprocess.run(["umount", "-l", disk], check=True)


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue


def test_on_a_full_disk_what_is_delivered_makes_room_for_the_cursors_that_say_so(sink, small):
    key = small.configuration().key
    writer, _ = create_journal(small.root, "run", {}, destination=key, budget=1 << 26)
    for number in range(7_000):
        log = frames.encode([time.time_ns(), 9, None, None, f"{number} " + "x" * 1000, {}, b"", 0])
        writer.append(Kind.LOG, Signal.LOGS, log)
    writer.close()
    assert len(list(writer.folder.glob("*.segment"))) == 2
    fill(small.root / "ballast")
    assert shutil.disk_usage(small.root).free == 0

    ensure_shipper(small.configuration())
    eventually(lambda: is_delivered(small), within=20)
    assert len(sink.logs()) == 7_000
    assert [read_cursor(writer.folder, Signal.LOGS).delivered, list(writer.folder.glob("*.segment"))] == [7_000, []]


def test_on_a_full_disk_a_live_job_is_delivered_and_nothing_spins(sink, small):
    small.variables["SYNAPSE_OTEL_SHIPPER"] = "off"
    job = start_job(small, "in_steps")
    assert job.stdout.readline() == "ready\n"
    fill(small.root / "ballast")
    pid = start_shipper(small)
    tell(job, "one")
    sink.wait(lambda: "message of one" in {body(record) for record in sink.logs()})
    begin = cpu_seconds(pid)
    time.sleep(3)
    share = (cpu_seconds(pid) - begin) / 3 * 100
    print(f"cursors that cannot be written: {share:.2f} % of a core")
    assert share < 20
    tell(job, "two")
    (small.root / "ballast").unlink()
    job.communicate(timeout=20)
    eventually(lambda: is_delivered(small), within=20)
    assert messages(sink) == ["message of one", "message of two"], "each once"
