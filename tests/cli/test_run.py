"""``synapse-otel run``: a command and its end."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import termios

import pytest

from synapse_otel.cli.run.child import Status
from synapse_otel.cli.run.stderr_tap import last_lines
from synapse_otel.journal.files.locks import is_locked
from synapse_otel.journal.folder import read_exit, read_run
from synapse_otel.shipper.configuration import lock_path
from tests.cli.watching import job, start, told
from tests.eventually import eventually
from tests.runs.conftest import only
from tests.runs.ports import free_port
from tests.runs.runs import COMMAND, environment
from tests.sink import Sink, attributes

pytestmark = pytest.mark.once


def test_a_command_that_records_nothing_is_left_alone(tmp_path):
    noise = os.urandom(200_000) + b"no end"
    script = """
import sys
sys.stdout.buffer.write(sys.stdin.buffer.read())
sys.stderr.buffer.write(open(sys.argv[1], 'rb').read())
"""
    (tmp_path / "noise").write_bytes(noise)
    process = start(tmp_path / "j", "run", "--", sys.executable, "-c", script, str(tmp_path / "noise"))
    out, err = process.communicate(b"in\0put", timeout=60)
    assert (process.returncode, out, err) == (0, b"in\0put", noise)
    assert not (tmp_path / "j").exists()


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        ("exit 3", 3, "exit status 3"),
        ("kill -9 $$", -9, "ended by SIGKILL"),
        ("kill -TERM $$", -15, "ended by SIGTERM"),
        ("ulimit -c 0; kill -ABRT $$", -6, "ended by SIGABRT"),
        ("echo said >&2; kill -HUP $$", -1, "ended by SIGHUP"),
    ],
)
def test_it_ends_as_its_command_ends(script, code, said, tmp_path):
    process = start(tmp_path, "run", "--name", "it", "--", "sh", "-c", script)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    (line,) = told(err)
    assert re.fullmatch(rf"synapse-otel: it: {re.escape(said)} after [\d.]+ m?s", line)


def test_a_reader_who_has_enough_is_no_failure(tmp_path):
    process = start(tmp_path, "run", "--", "yes")
    process.stdin.close()
    process.stdout.readline()
    process.stdout.close()
    with process.stderr:
        assert process.stderr.read() == b""
    assert process.wait(60) == -signal.SIGPIPE


def test_a_core_is_told_of():
    assert str(Status.of(signal.SIGSEGV | 0x80)) == "ended by SIGSEGV (core dumped)"
    assert str(Status.of(signal.SIGRTMIN + 2)) == "ended by SIGRTMIN+2"


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("no-such-command", 127, "no-such-command: command not found"),
        ("/etc/passwd", 126, "/etc/passwd: Permission denied"),
        ("/", 126, "/: Permission denied"),
    ],
)
def test_a_command_that_cannot_run_is_said_on_one_line(command, code, said, tmp_path):
    process = start(tmp_path / "j", "run", "--", command)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err.decode()) == (code, b"", f"synapse-otel: {said}\n")
    assert not (tmp_path / "j").exists()


def test_nothing_is_started_with_a_wrong_setting(tmp_path):
    for setting in ({"SYNAPSE_OTEL_SHIPPER": "pigeon"}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318/x y"}):
        process = start(tmp_path, "run", "--", "touch", str(tmp_path / "made"), variables=setting)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 2
        assert err.decode().startswith(f"synapse-otel: {next(iter(setting))}")
        assert err.count(b"\n") == 1
    assert not (tmp_path / "made").exists()


# --- what it records -----------------------------------------------------------------------------------


@pytest.mark.parametrize("shipper", ["process", "thread"])
def test_the_signal_that_ended_a_job_arrives_from_outside(shipper, tmp_path):
    with Sink() as sink:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": sink.url, "SYNAPSE_OTEL_SHIPPER": shipper}
        settings["SYNAPSE_OTEL_EXIT_TIMEOUT"] = "20"  # as long as a busy machine may need
        process = start(tmp_path, "run", "--name", "nightly", "--", *job("signal", "SIGKILL"), variables=settings)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (-9, b"ready\n")
        folder = only(tmp_path)
        ended, account = told(err)
        assert re.fullmatch(
            rf"synapse-otel: nightly: ended by SIGKILL after .+ · records in {re.escape(str(folder))}", ended
        )
        assert account == "synapse-otel: nightly · delivered 4 · pending 0 · dropped 0"
        (span,) = (span for span in sink.spans() if span.name == "train yolo")
        assert attributes(span)["error.type"] == "SIGKILL"
        assert attributes(span)["synapse.job.result"] == "error"
        assert sink.last("synapse.job.progress.current", synapse_category="load") == 1
    told_of = read_exit(folder)
    assert (told_of.code, told_of.signal) == (None, "SIGKILL")
    assert told_of.stderr == ["the last words, token=[redacted]"]
    assert read_run(folder).watched.startswith("nightly~")


def test_a_job_that_ends_well_is_told_on_one_line(tmp_path):
    with Sink() as sink:
        arguments = ("run", "--endpoint", sink.url, "--journal-dir", str(tmp_path / "here"), "--name", "it", "--")
        settings = {"SYNAPSE_OTEL_EXIT_TIMEOUT": "20", "TRACEPARENT": f"00-{'ab' * 16}-{'cd' * 8}-01"}
        process = start(tmp_path, *arguments, *job("wait"), variables=settings)
        _, err = process.communicate(b"\n", timeout=60)
        assert process.returncode == 0
        assert re.fullmatch(
            r"synapse-otel: it: exit status 0 after .+ · delivered \d+ · pending 0 · dropped 0", told(err)[-1]
        )
        assert {span.trace_id.hex() for span in sink.spans()} == {"ab" * 16}
    assert only(tmp_path / "here")


def test_what_cannot_be_delivered_in_time_is_kept(tmp_path):
    endpoint = f"http://127.0.0.1:{free_port()}"
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "SYNAPSE_OTEL_SHIPPER": "thread"}
    process = start(tmp_path, "run", "--", *job("exit", "3"), variables=settings)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 3
    last = told(err)[-1]
    assert "delivered 0 · pending 4 · dropped 0 (connection refused by " in last
    assert last.endswith("kept on disk; `synapse-otel sync` or the next shipper delivers it")
    assert read_exit(only(tmp_path)).code == 3
    with Sink(port=int(endpoint.rpartition(":")[2])) as sink:
        command = start(tmp_path, "sync", variables=settings)
        command.communicate(timeout=60)
        assert command.returncode == 0
        assert {attributes(span)["error.type"] for span in sink.spans() if span.name == "train yolo"} == {"exit_3"}


def test_without_shipping_nobody_delivers_and_nobody_waits(tmp_path):
    with Sink() as sink:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": sink.url, "SYNAPSE_OTEL_SHIPPER": "process"}
        process = start(tmp_path, "run", "--no-ship", "--", *job("exit", "0"), variables=settings)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0
        assert "delivered 0 · pending 4 · dropped 0" in told(err)[-1]
        assert not sink.requests


def test_a_shell_that_says_what_ended_its_only_job_is_believed(tmp_path):
    script = '"$@"; exit $?'
    for arguments, signal_name in ((job("signal", "SIGKILL"), "SIGKILL"), (job("exit", "3"), "")):
        root = tmp_path / (signal_name or "none")
        process = start(root, "run", "--no-ship", "--", "sh", "-c", script, "sh", *arguments)
        process.communicate(timeout=60)
        assert process.returncode == (137 if signal_name else 3)
        ended = read_exit(only(root))
        assert (ended.code, ended.signal) == (None, signal_name), "of another process nothing is known for sure"


def test_a_shipper_that_is_killed_is_followed_by_another_while_the_job_runs(tmp_path):
    with Sink() as sink:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": sink.url, "SYNAPSE_OTEL_SHIPPER": "process"}
        process = start(tmp_path, "run", "--", *job("wait"), variables=settings)
        assert process.stdout.readline() == b"ready\n"
        eventually(sink.logs, within=30)
        (lock,) = tmp_path.glob("shipper-*.lock")
        assert is_locked(lock_path(tmp_path, lock.stem.removeprefix("shipper-")))
        holder = _holder(lock)
        os.killpg(os.getpgid(holder), signal.SIGKILL)  # with the shell that would start it again
        eventually(lambda: _holder(lock) not in {None, holder}, within=30)
        process.communicate(b"\n", timeout=60)
        assert process.returncode == 0


def _holder(lock):
    """Return the process that has a lock file open."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                found = {os.readlink(f"/proc/{entry}/fd/{fd}") for fd in os.listdir(f"/proc/{entry}/fd")}
            except OSError:
                continue
            if str(lock) in found and int(entry) != os.getpid():
                return int(entry)
    return None


# --- standard error ------------------------------------------------------------------------------------


def test_a_process_that_stays_behind_keeps_its_stderr_and_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "gate")
    script = f"(read line < {tmp_path}/gate; echo late >&2) & echo early >&2"
    process = start(tmp_path, "run", "--", "sh", "-c", script, stdin=None, stdout=subprocess.DEVNULL)
    assert process.wait(60) == 0, "while the other one still waits for its line"
    (tmp_path / "gate").write_text("go on\n")
    with process.stderr:
        assert process.stderr.read() == b"early\nlate\n"


def test_who_reads_no_stderr_is_felt_by_the_command(tmp_path):
    script = "import os, sys, time\nwhile True:\n    os.write(2, b'x' * 1000)"
    process = start(tmp_path, "run", "--", sys.executable, "-c", script, stdout=subprocess.DEVNULL)
    process.stderr.read(10)
    process.stderr.close()
    process.stdin.close()
    # 120: Python itself could not write to the end what it had for stderr. It is so without us, too.
    assert process.wait(60) in {1, 120}, "a BrokenPipeError"


def test_last_lines_are_what_a_reader_saw():
    text = b"one\n\x1b[31mtwo\x1b[0m\r\n 10%\r 90%\r100%\n\n\xff password=hunter2\n"
    assert last_lines(text, 10) == ["one", "two", "100%", "\N{REPLACEMENT CHARACTER} password=[redacted]"]
    assert last_lines(text, 1) == ["\N{REPLACEMENT CHARACTER} password=[redacted]"]
    assert last_lines(b"x" * 5_000, 3) == ["x" * 1_000]


# --- signals -------------------------------------------------------------------------------------------

_COUNTING = """
import signal, sys
numbers = {signal.SIGINT, signal.SIGTERM, signal.SIGUSR1}
signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
print("ready", sys.stderr.isatty(), flush=True)
wait = 20
while found := signal.sigtimedwait(numbers, wait):
    print(signal.Signals(found.si_signo).name, flush=True)
    wait = 0.7
print("last", file=sys.stderr, flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_reaches_the_command_once(number, tmp_path):
    process = start(tmp_path, "run", "--", sys.executable, "-c", _COUNTING)
    assert process.stdout.readline() == b"ready False\n"
    process.send_signal(number)
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, out.decode()) == (0, f"{number.name}\n")


def test_a_signal_that_is_ignored_stays_ignored(tmp_path):
    script = "import signal; print(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)"
    process = start(
        tmp_path,
        "run",
        "--",
        sys.executable,
        "-c",
        script,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    assert process.communicate(timeout=60)[0] == b"True\n"


def test_a_job_that_is_asked_to_end_ends_its_run(tmp_path):
    with Sink() as sink:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": sink.url, "SYNAPSE_OTEL_SHIPPER": "thread"}
        process = start(tmp_path, "run", "--", *job("sleep"), variables=settings)
        assert process.stdout.readline() == b"ready\n"
        process.terminate()
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGTERM
        (span,) = (span for span in sink.spans() if span.name == "train yolo")
        assert attributes(span)["error.type"] == "SIGTERM"


def test_on_a_terminal_stderr_is_one_and_its_keys_are_heard_once(tmp_path):
    """The interrupt key's signal goes to the whole process group: it must not be passed on as well."""
    main, terminal = os.openpty()
    process = start(
        tmp_path,
        "run",
        "--",
        sys.executable,
        "-c",
        _COUNTING,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        preexec_fn=_take_terminal,
    )
    os.close(terminal)
    seen = _read_until(main, b"ready True\r\n")
    process.send_signal(signal.SIGSTOP)  # so that the command has it before it could be passed on
    os.write(main, b"\x03")
    seen += _read_until(main, b"SIGINT\r\n")
    process.send_signal(signal.SIGCONT)
    seen += _read_until(main, b"last\r\n")
    assert process.wait(60) == 0
    os.close(main)
    assert seen.replace(b"^C", b"") == b"ready True\r\nSIGINT\r\nlast\r\n"


def _take_terminal():
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _read_until(descriptor, end):
    seen = b""
    while not seen.endswith(end):
        seen += os.read(descriptor, 1_000)
    return seen


# --- the first process of a container ------------------------------------------------------------------

_ORPHANS = """
import os, time
for _ in range(5):
    if os.fork() == 0:
        if os.fork() == 0:
            time.sleep(0.1)
        os._exit(0)
    os.wait()
time.sleep(0.7)
stats = [open(f"/proc/{entry}/stat").read() for entry in os.listdir("/proc") if entry.isdigit()]
found = [stat.rpartition(")")[2].split()[0] for stat in stats]
print(os.getppid(), found.count("Z"), flush=True)
os.kill(os.getpid(), 9)
"""


def test_as_the_first_process_it_reaps_orphans_and_exits_like_a_shell(tmp_path):
    isolated = ["unshare", "--pid", "--fork", "--mount-proc"]
    tried = [*isolated, "true"]
    if shutil.which("unshare") is None or subprocess.run(tried, capture_output=True, check=False).returncode:
        pytest.skip("process namespaces are not allowed here")
    command = [*isolated, sys.executable, "-c", COMMAND, "run", "--", sys.executable, "-c", _ORPHANS]
    found = subprocess.run(command, env=environment(tmp_path), capture_output=True, check=False, timeout=60)
    assert (found.returncode, found.stdout) == (128 + 9, b"1 0\n")
    assert b"ended by SIGKILL" in found.stderr


def test_run_is_listed_under_its_name(tmp_path):
    process = start(tmp_path, "run", "--no-ship", "--name", "nightly", "--", *job("signal", "SIGSEGV"))
    process.communicate(timeout=60)
    listed = start(tmp_path, "jobs", "nightly", "--json")
    found = json.loads(listed.communicate(timeout=60)[0])
    assert (found["state"], found["name"], found["exit"]["signal"]) == ("crashed", "nightly", "SIGSEGV")
    assert [(one["job_id"], one["result"], one["error_type"]) for one in found["jobs"]] == [
        ("job-4711", "error", "SIGSEGV")
    ]
