"""Runs that go elsewhere than they were meant to, and shippers that hang: what people do then, with real processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from synapse_otel.journal import frames
from synapse_otel.journal.creation import create_journal
from synapse_otel.journal.cursor import read_cursor
from synapse_otel.journal.files.lock_holder import Holder, Role, SignOfLife, read_holder, started
from synapse_otel.journal.files.lock_holder import place as here
from synapse_otel.journal.folder import SHIP_LOCK
from synapse_otel.journal.frames import Kind
from synapse_otel.otlp.outcome import Accepted
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper.claimed_journal import ClaimedJournal
from synapse_otel.shipper.configuration import lock_path
from synapse_otel.shipper.end_hung import SILENT_SECONDS, TOLD_SECONDS, end
from synapse_otel.shipper.pipelines.poison_records import Tally
from tests.eventually import eventually
from tests.faults.running import Place
from tests.faults.test_kill import check_account
from tests.faults.test_shipper_process import is_delivered, messages
from tests.runs.ports import free_port
from tests.runs.runs import COMMAND
from tests.sink import HANG, Answer, Sink, attributes, body

pytestmark = pytest.mark.once


@pytest.fixture
def sink():
    with Sink() as found:
        yield found


@pytest.fixture
def mistyped(place: Place, sink: Sink) -> Place:
    """A place whose jobs deliver to where nobody listens, until the address is corrected."""
    place.endpoint = f"http://127.0.0.1:{free_port()}"
    place.variables["SYNAPSE_OTEL_EXIT_TIMEOUT"] = "0.2"
    return place


def start_command(place: Place, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments],
        env=place.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def command(place: Place, *arguments: str) -> subprocess.CompletedProcess[str]:
    process = start_command(place, *arguments)
    out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def start_shipper(place: Place) -> int:
    """Start the shipper, and wait until it has said who it is."""
    pid = place.start_shipper()
    lock = lock_path(place.root, place.configuration().key)
    eventually(lambda: (found := read_holder(lock)) and found.process == pid)
    return pid


def stop(pid: int) -> None:
    """Stop a process, and wait until it is."""
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")


def age(place: Place, seconds: float) -> None:
    """Have all signs of life be as old as if a shipper had been stopped for so long."""
    for path in (*place.root.glob("shipper-*.json"), *place.root.glob("*/ship.json")):
        os.utime(path, (time.time() - seconds,) * 2)


def in_hand(place: Place) -> Path:
    """Return the folder of the one run, when a shipper has it in hand."""
    (folder,) = place.folders()
    eventually(lambda: read_holder(folder / SHIP_LOCK))
    return folder


def uids(sink: Sink) -> list[str]:
    return [attributes(record)["log.record.uid"] for record in sink.logs()]


# --- a mistyped address -------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["sync", "--all"], ["sync", "train-demo"]])
def test_a_corrected_address_gets_the_old_runs_though_their_shipper_lives(mistyped, sink, arguments):
    mistyped.run("normal")
    folder = in_hand(mistyped)
    holder = read_holder(folder / SHIP_LOCK)
    mistyped.endpoint = sink.url
    found = command(mistyped, *arguments)
    assert found.returncode == 0, found
    assert f"taken over from the shipper (process {holder.process})" in found.stdout
    assert messages(sink) == [f"message {number}" for number in range(3)]
    assert len(set(uids(sink))) == len(uids(sink))
    check_account(mistyped)
    assert Path(f"/proc/{holder.process}").exists(), "it hands over, and is not ended for that"


def test_what_doctor_advises_for_runs_of_another_destination_helps(mistyped, sink):
    for _ in range(2):
        mistyped.run("normal")
    mistyped.endpoint = sink.url
    advised = command(mistyped, "doctor", "runs").stdout
    assert "2 runs with" in advised
    advice = re.search(r"-> `synapse-otel ([^`]*)` sends all to the current destination", advised)
    assert command(mistyped, *advice[1].split()).returncode == 0
    assert len(messages(sink)) == 6
    assert "other destinations" not in command(mistyped, "doctor", "runs").stdout


def test_sync_alone_says_what_takes_them(mistyped, sink):
    mistyped.run("normal")
    mistyped.endpoint = sink.url
    found = command(mistyped, "sync")
    assert "1 run recorded for other destinations; `synapse-otel sync --all` sends it to" in found.stdout
    assert not messages(sink)


def test_a_job_that_lives_is_delivered_to_the_new_address_from_then_on(mistyped, sink):
    job = mistyped.start("waiting")
    assert job.stdout.readline() == "ready\n"
    folder = in_hand(mistyped)
    mistyped.endpoint = sink.url
    found = command(mistyped, "sync", folder.name)
    assert (found.returncode, found.stdout.count("still running, a shipper keeps delivering it")) == (0, 1), found
    assert "before" in [body(record) for record in sink.logs()]
    job.communicate("", timeout=20)
    eventually(lambda: is_delivered(mistyped), within=20)
    assert [body(record) for record in sink.logs()].count("before") == 1
    assert "after" in [body(record) for record in sink.logs()]
    check_account(mistyped)


def test_a_shipper_of_the_new_address_that_runs_already_goes_on_with_it(mistyped, sink):
    job = mistyped.start("waiting")
    assert job.stdout.readline() == "ready\n"
    folder = in_hand(mistyped)
    mistyped.endpoint = sink.url
    mistyped.run("normal")
    eventually(lambda: len(messages(sink)) == 3)
    assert len(mistyped.shippers()) == 2
    assert command(mistyped, "sync", folder.name).returncode == 0
    job.communicate("", timeout=20)
    eventually(lambda: is_delivered(mistyped), within=20)
    assert len(mistyped.shippers()) == 2
    assert "after" in [body(record) for record in sink.logs()]


def test_a_shipper_that_hangs_in_a_request_is_ended_for_the_run_to_go_elsewhere(place, sink):
    with Sink(lambda _request: HANG) as silent:
        place.endpoint = silent.url
        place.variables |= {"SYNAPSE_OTEL_EXIT_TIMEOUT": "0.2", "OTEL_EXPORTER_OTLP_TIMEOUT": "600000"}
        place.run("normal")
        folder = in_hand(place)
        pid = read_holder(folder / SHIP_LOCK).process
        silent.wait(lambda: len(silent.requests) >= 3)
        place.endpoint = sink.url
        found = command(place, "sync", "--all")
        assert (found.returncode, found.stderr.count(f"ended the shipper (process {pid}), which did not answer")) == (
            0,
            1,
        )
        eventually(lambda: not Path(f"/proc/{pid}").exists())
    assert messages(sink) == [f"message {number}" for number in range(3)]
    check_account(place)


@pytest.mark.parametrize("where", ["thread", "ship"])
def test_a_shipper_of_a_job_or_in_the_foreground_hands_over_and_is_never_ended(mistyped, sink, where):
    mistyped.variables["SYNAPSE_OTEL_SHIPPER"] = "thread" if where == "thread" else "off"
    job = mistyped.start("waiting")
    assert job.stdout.readline() == "ready\n"
    other = start_command(mistyped, "ship") if where == "ship" else None
    try:
        folder = in_hand(mistyped)
        mistyped.endpoint = sink.url
        found = command(mistyped, "sync", "--all")
        assert found.returncode == 0, found
        assert "taken over from " in found.stdout
        assert "run `synapse-otel sync` again for later records" in found.stdout
        assert "before" in [body(record) for record in sink.logs()]
        assert job.poll() is None
        job.communicate("", timeout=20)
        assert command(mistyped, "sync").returncode == 0
        assert "after" in [body(record) for record in sink.logs()]
        assert all(read_cursor(folder, one).complete for one in Signal)
        if other is not None:
            assert other.poll() is None
    finally:
        if other is not None:
            other.terminate()
            other.communicate(timeout=20)


def test_who_may_not_be_ended_and_does_not_answer_is_named(mistyped, sink):
    mistyped.variables["SYNAPSE_OTEL_SHIPPER"] = "thread"
    job = mistyped.start("waiting")
    assert job.stdout.readline() == "ready\n"
    in_hand(mistyped)
    stop(job.pid)
    mistyped.endpoint = sink.url
    found = command(mistyped, "sync", "--all")
    os.kill(job.pid, signal.SIGCONT)
    assert found.returncode == 1
    assert f"the shipper in a job's process (process {job.pid}) has claimed it" in found.stdout
    assert job.communicate("", timeout=20)[0] == ""
    assert not messages(sink)


def test_another_sync_that_was_stopped_is_named_and_not_ended(place, sink):
    place.variables["SYNAPSE_OTEL_SHIPPER"] = "off"
    place.run("normal")
    sink.answer = lambda _request: HANG
    other = start_command(place, "sync")
    sink.wait(lambda: sink.requests)
    stop(other.pid)
    age(place, SILENT_SECONDS + 1)
    told = command(place, "doctor", "runs").stdout
    assert f"another `synapse-otel sync` (process {other.pid}) has given no sign of life" in told
    advice = re.search(r"`kill -KILL (\d+)` ends it", told)
    named = command(place, "sync")
    assert (named.returncode, f"(process {other.pid}) has claimed it" in named.stdout) == (1, True), named
    assert other.poll() is None
    os.kill(int(advice[1]), signal.SIGKILL)
    other.communicate(timeout=20)
    sink.answer = lambda _request: Answer()
    assert command(place, "sync").returncode == 0
    assert len(messages(sink)) == 3


# --- sync beside a shipper ----------------------------------------------------------------------------


def test_sync_waits_with_a_running_shipper_and_tells_how_far_it_is(place, sink):
    place.variables["SYNAPSE_OTEL_EXIT_TIMEOUT"] = "0.2"

    def slow(_request):
        time.sleep(2)  # the sink takes one request at a time
        return Answer()

    sink.answer = slow
    place.run("normal")
    folder = in_hand(place)
    found = command(place, "sync")
    assert found.returncode == 0, found
    assert re.search(rf"{folder.name}: the shipper \(process \d+\) delivers it: \d+ records are pending", found.stderr)
    assert "delivered by the shipper" in found.stdout
    assert len(messages(sink)) == 3


def test_sync_beside_a_shipper_ends_at_its_time_out(place, sink):
    sink.answer = lambda _request: HANG
    place.variables["SYNAPSE_OTEL_EXIT_TIMEOUT"] = "0.2"
    place.run("normal")
    in_hand(place)
    begin = time.monotonic()
    found = command(place, "sync", "--timeout", "2")
    assert found.returncode == 1
    assert "has claimed it" in found.stdout
    assert 2 <= time.monotonic() - begin < 8


def test_sync_with_a_time_out_goes_on_through_failures(place, sink):
    place.variables |= {"SYNAPSE_OTEL_SHIPPER": "off"}
    place.run("normal")
    sink.answer = lambda _request: Answer(503) if len(sink.requests) < 4 else Answer()
    assert command(place, "sync").returncode == 1
    found = command(place, "sync", "--timeout", "30")
    assert found.returncode == 0, found
    assert len(messages(sink)) == 3


# --- a shipper that hangs -----------------------------------------------------------------------------


def test_a_stopped_shipper_is_told_of_and_sync_takes_over(place, sink):
    place.variables["SYNAPSE_OTEL_EXIT_TIMEOUT"] = "0.2"
    pid = start_shipper(place)
    stop(pid)
    age(place, TOLD_SECONDS + 1)
    ended = place.run("normal")
    silence = rf"the shipper \(process {pid}\) has given no sign of life for \d+ s"
    assert re.search(silence + r": `synapse-otel sync` takes over", ended.said[-1])
    assert "in the background" not in ended.said[-1]
    assert re.search(silence, command(place, "jobs").stderr)
    told = command(place, "doctor", "runs").stdout
    assert re.search(rf"runs: silent +{silence}", told)
    advice = re.search(r"-> `synapse-otel (sync[^`]*)` ends it", told)
    assert command(place, *advice[1].split()).returncode == 0
    assert len(messages(sink)) == 3
    check_account(place)


def test_a_stopped_shipper_with_a_run_in_hand_is_ended_by_sync(place, sink):
    sink.answer = lambda _request: Answer(503)
    place.variables["SYNAPSE_OTEL_EXIT_TIMEOUT"] = "0.2"
    place.run("normal")
    in_hand(place)
    pid = place.shipper()
    stop(pid)
    under_way = {connection.laddr.port for connection in psutil.Process(pid).net_connections()}
    sink.answer = lambda request: Answer(503) if request.sender in under_way else Answer()
    age(place, SILENT_SECONDS + 1)
    found = command(place, "sync")
    assert found.returncode == 0, found
    assert f"ended the shipper (process {pid}), which gave no sign of life" in found.stderr
    eventually(lambda: is_delivered(place))
    assert len(messages(sink)) == 3
    check_account(place)


def test_the_next_job_replaces_a_stopped_shipper(place, sink):
    pid = start_shipper(place)
    stop(pid)
    age(place, SILENT_SECONDS + 1)
    place.run("normal")
    eventually(lambda: is_delivered(place), within=20)
    assert place.shipper() not in {None, pid}
    assert len(messages(sink)) == 3


def test_one_that_only_was_busy_for_a_while_is_not_replaced(place, sink):
    pid = start_shipper(place)
    stop(pid)
    age(place, SILENT_SECONDS - 10)
    os.kill(pid, signal.SIGCONT)
    place.run("normal")
    eventually(lambda: is_delivered(place))
    assert place.shipper() == pid


def test_one_that_wakes_after_its_lock_was_lost_to_another_neither_sends_nor_moves_a_cursor(place, sink):
    """As a file server does that gives the locks of a client that was away to the next one."""
    place.variables["OTEL_METRIC_EXPORT_INTERVAL"] = "60000"  # no request is under way when it is stopped
    job = place.start("waiting")
    assert job.stdout.readline() == "ready\n"
    folder = in_hand(place)
    first = place.shipper()
    eventually(lambda: "before" in [body(record) for record in sink.logs()])
    eventually(lambda: time.monotonic() - sink.requests[-1].time > 1.5)
    stop(first)
    for lock in (folder / SHIP_LOCK, lock_path(place.root, place.configuration().key)):
        lock.rename(lock.with_suffix(".lost"))
        lock.touch(mode=0o600)
    second = start_shipper(place)
    assert second != first
    eventually(lambda: (found := read_holder(folder / SHIP_LOCK)) and found.process == second)
    job.communicate("", timeout=20)
    eventually(lambda: is_delivered(place))
    before = [read_cursor(folder, one) for one in Signal]
    sent = len(sink.requests)
    os.kill(first, signal.SIGCONT)
    time.sleep(2.5)  # more than it takes it to look at everything again
    assert len(sink.requests) == sent
    assert [read_cursor(folder, one) for one in Signal] == before
    assert len(set(uids(sink))) == len(uids(sink))


class Server:
    """Accepts what it is sent, and has another shipper take the journal while it does."""

    exporter = "test"

    def __init__(self, replace):
        self.replace = replace
        self.sent = 0

    def ready(self):
        return True

    def hurry(self):
        pass

    def tally(self):
        return Tally(self.sent, 0)

    def __call__(self, _body, *, suspect=False):
        self.sent += 1
        self.replace()
        return Accepted()


@pytest.mark.parametrize("when", ["before it sends", "while it sends", "never"])
def test_one_that_was_replaced_writes_no_cursor(tmp_path, when):
    writer, _ = create_journal(tmp_path, "run", {}, destination="key", budget=1 << 26)
    writer.append(Kind.LOG, Signal.LOGS, frames.encode([time.time_ns(), 9, None, None, "message", {}, b"", 0]))
    writer.close()
    journal = ClaimedJournal.take(writer.folder, interval_seconds=1)

    def replace():
        if when != "never":
            SignOfLife(writer.folder / SHIP_LOCK, Role.PROCESS, "key")

    if when == "before it sends":
        replace()
    server = Server(replace)
    journal.step(Signal.LOGS, server)
    journal.step(Signal.LOGS, server)
    assert server.sent == (when != "before it sends")
    assert read_cursor(writer.folder, Signal.LOGS).complete == (when == "never")
    journal.beat()
    assert journal.leaves == (when != "never")
    journal.close()


def test_the_number_of_a_shipper_that_is_gone_ends_nobody_else():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, text=True) as other:
        holder = Holder(other.pid, started(other.pid) - 1, here(), Role.PROCESS, "key", "token")
        assert end(holder)
        elsewhere = Holder(other.pid, started(other.pid), "another machine", Role.PROCESS, "key", "token")
        assert not end(elsewhere)
        ours = Holder(other.pid, started(other.pid), here(), Role.FOREGROUND, "key", "token")
        assert not end(ours)
        assert other.poll() is None
        other.communicate("\n", timeout=10)
        assert other.returncode == 0
