"""Where the shipper's process cannot be started, or does not live; and what the job's last line says then."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
import urllib3

from synapse_otel.shipper.launch import interpreter
from tests.eventually import eventually
from tests.sink import body


def run_script(place, tmp_path, text, *, program=(), **variables):
    script = tmp_path / "script.py"
    script.write_text(dedent(text))
    return subprocess.run(
        [*program, sys.executable, script],
        env={**place.environment(), **variables},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def bodies(sink):
    return [body(record) for record in sink.logs()]


JOB = """
import synapse_otel
from synapse_otel.loggers import NoOpLogger
with synapse_otel.job("train", plugin="demo", logger=NoOpLogger()) as ctx:
    ctx.log_message("the work is done")
"""
FROZEN = "sys.frozen, sys.executable = True, {app!r}"
COMPILED = "__compiled__, sys.executable = True, {app!r}"
EMBEDDED = "sys.executable = {app!r}"


@pytest.mark.parametrize("how", [FROZEN, COMPILED, EMBEDDED])
def test_the_users_own_program_is_never_started_again(sink, place, tmp_path, how):
    started, app = tmp_path / "started", tmp_path / "app"
    app.write_text(f"#!/bin/sh\necho >> {started}\n")
    app.chmod(0o755)
    ended = run_script(place, tmp_path, f"import sys\n{how.format(app=str(app))}\n{JOB}")
    assert ended.returncode == 0, ended.stderr
    assert "the work is done" in bodies(sink), "by a thread"
    assert not started.exists()
    assert place.shippers() == []
    assert "pending 0" in ended.stderr


@pytest.mark.parametrize("executable", [None, "", "/gone/python3", "/etc/passwd"])
def test_an_interpreter_that_is_none_is_not_started(sink, place, tmp_path, executable):
    ended = run_script(place, tmp_path, f"import sys\nsys.executable = {executable!r}\n{JOB}")
    assert ended.returncode == 0, ended.stderr
    assert "the work is done" in bodies(sink)
    assert place.shippers() == []


@pytest.mark.parametrize("name", ["python", "python3", "python3.11", "python3.13t", "python3.11-dbg", "pypy3.10"])
def test_what_is_called_like_an_interpreter_is_one(tmp_path, monkeypatch, name):
    path = tmp_path / name
    path.write_text("")
    path.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(path))
    assert interpreter() == str(path)


@pytest.mark.parametrize("name", ["uwsgi", "app", "blender", "python-app", "mypython", "qgis", "soffice.bin"])
def test_what_is_called_otherwise_may_be_anything(tmp_path, monkeypatch, name):
    path = tmp_path / name
    path.write_text("")
    path.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(path))
    assert interpreter() is None


def test_in_uwsgi_without_threads_it_is_said_that_nothing_delivers(place, tmp_path):
    uwsgi = (
        "import sys, types\nsys.executable = '/usr/bin/uwsgi'\nsys.modules['uwsgi'] = types.SimpleNamespace(opt={})\n"
    )
    ended = run_script(place, tmp_path, uwsgi + JOB)
    assert ended.returncode == 0, ended.stderr
    first, last = [line for line in ended.stderr.splitlines() if line.startswith("synapse-otel:")]
    assert "nothing is delivered from this process" in first
    assert "in the background" not in last
    assert "nothing delivers it now" in last


def test_where_no_thread_can_be_started_the_job_runs_and_says_so(place, tmp_path):
    no_threads = """
    import threading
    def refuse(self):
        raise RuntimeError("can't start new thread")
    threading.Thread.start = refuse
    """
    ended = run_script(place, tmp_path, dedent(no_threads) + JOB, SYNAPSE_OTEL_SHIPPER="thread")
    assert ended.returncode == 0, ended.stderr
    assert "nothing is delivered from this process (can't start new thread)" in ended.stderr
    assert "nothing delivers it now" in ended.stderr.splitlines()[-1]


def test_with_no_shipper_the_last_line_does_not_promise_one(place, tmp_path):
    ended = run_script(place, tmp_path, JOB, SYNAPSE_OTEL_SHIPPER="off")
    assert "in the background" not in ended.stderr
    assert "nothing delivers it now: a later job or `synapse-otel sync` will" in ended.stderr.splitlines()[-1]


def test_with_a_shipper_that_runs_the_last_line_says_that_it_goes_on(nowhere, tmp_path):
    ended = run_script(nowhere, tmp_path, JOB, SYNAPSE_OTEL_EXIT_TIMEOUT="1")
    assert "delivery continues in the background" in ended.stderr.splitlines()[-1]


# --- its modules -------------------------------------------------------------------------------------------


def test_a_library_is_found_where_the_job_finds_it(sink, place, tmp_path):
    layer, loaded = tmp_path / "layer", tmp_path / "loaded"
    shutil.copytree(Path(urllib3.__file__).parent, layer / "urllib3")
    with (layer / "urllib3/__init__.py").open("a") as file:
        file.write(f"\nimport os\nopen({str(loaded)!r}, 'a').write(f'{{os.getpid()}} ')\n")
    path = os.pathsep.join([str(layer), place.environment()["PYTHONPATH"]])
    ended = run_script(place, tmp_path, JOB, PYTHONPATH=path)
    sink.wait(lambda: "the work is done" in bodies(sink))
    assert ended.returncode == 0
    assert str(place.shipper()) in loaded.read_text().split()


def test_a_module_of_the_jobs_folder_is_not_taken_for_one_of_pythons(sink, place, tmp_path):
    (tmp_path / "mimetypes.py").write_text("raise SystemExit('not the one that you want')\n")
    ended = run_script(place, tmp_path, JOB)
    assert ended.returncode == 0, ended.stderr
    sink.wait(lambda: "the work is done" in bodies(sink))


def test_a_shipper_that_cannot_be_loaded_is_said_on_the_last_line_and_not_started_for_ever(place, tmp_path):
    layer, loaded = tmp_path / "layer", tmp_path / "loaded"
    (layer / "urllib3").mkdir(parents=True)
    (layer / "urllib3/__init__.py").write_text(
        f"open({str(loaded)!r}, 'a').write('x')\nraise ImportError('too old a library')\n"
    )
    path = os.pathsep.join([str(layer), place.environment()["PYTHONPATH"]])
    waits = JOB.replace('the work is done")', 'the work is done"); import time; time.sleep(0.5)')
    ended = run_script(place, tmp_path, waits, PYTHONPATH=path)
    assert ended.returncode == 0, ended.stderr
    last = ended.stderr.splitlines()[-1]
    assert "in the background" not in last
    assert "ImportError: too old a library" in last
    eventually(lambda: not place.shippers())
    assert len(loaded.read_text()) <= 3


# --- descriptors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shipper", ["process", "thread"])
@pytest.mark.parametrize("closed", [">&- 2>&-", "<&- >&- 2>&-"])
def test_a_job_that_is_started_with_its_streams_closed_keeps_them_from_its_journal(
    sink, place, tmp_path, closed, shipper
):
    writes = JOB + "    import os\n    for _ in range(100): os.write(2, b'of a native library\\n' * 20)\n"
    program = ["sh", "-c", f'exec "$@" {closed}', "sh"]
    ended = run_script(place, tmp_path, writes, program=program, SYNAPSE_OTEL_SHIPPER=shipper)
    assert ended.returncode == 0
    sink.wait(lambda: "the work is done" in bodies(sink))
    [folder] = place.folders()
    assert b"of a native library" not in b"".join(path.read_bytes() for path in folder.iterdir())


def test_a_job_that_becomes_a_daemon_in_the_middle_is_delivered_whole(sink, place, tmp_path):
    daemon = """
    import os, synapse_otel
    from synapse_otel.loggers import NoOpLogger
    with synapse_otel.job("train", plugin="demo", logger=NoOpLogger()) as ctx:
        ctx.log_message("before")
        os.closerange(0, 1024)
        os.open(os.devnull, os.O_RDWR); os.dup2(0, 1); os.dup2(0, 2)
        mine = os.open("mine", os.O_RDWR | os.O_CREAT)
        os.write(mine, b"kept" * 1000)
        for number in range(20_000): ctx.log_message(f"after {number}" * 20)
    assert os.pread(mine, 8000, 0) == b"kept" * 1000
    """
    ended = run_script(place, tmp_path, daemon)
    assert ended.returncode == 0, ended.stderr
    sink.wait(lambda: len(bodies(sink)) >= 20_001, within=60)
    assert (tmp_path / "mine").read_bytes() == b"kept" * 1000
