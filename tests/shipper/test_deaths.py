"""The end of a process whose journal is in hand wakes the shipper."""

from __future__ import annotations

import subprocess
import sys
import time
from threading import Timer

import pytest

from synapse_otel.journal.creation import create_journal
from synapse_otel.journal.files.locks import is_locked
from synapse_otel.journal.folder import ALIVE_LOCK, run_folders
from synapse_otel.shipper.process_watch import ProcessWatch, can_watch
from tests.eventually import eventually

pytestmark = pytest.mark.skipif(not can_watch(), reason="the system does not tell")

WRITER = """
import sys
from pathlib import Path
from synapse_otel.journal.creation import create_journal
journal = create_journal(Path(sys.argv[1]), "run", {}, destination="key", budget=1 << 26)
print("ready", flush=True)
sys.stdin.read()
"""
LOOK = """
import sys
from pathlib import Path
from synapse_otel.journal.files.locks import is_locked
print(is_locked(Path(sys.argv[1])))
"""


@pytest.fixture
def deaths():
    made = ProcessWatch()
    yield made
    made.close()


@pytest.fixture
def writer(tmp_path):
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def seconds(deaths, most):
    begin = time.monotonic()
    deaths.wait(most)
    return time.monotonic() - begin


def test_the_end_of_a_process_is_heard_once_and_its_lock_is_free_then(deaths, writer, tmp_path):
    [folder] = run_folders(tmp_path)
    deaths.follow([folder])
    assert seconds(deaths, 0.2) >= 0.19, "it lives"
    Timer(0.2, writer.kill).start()
    assert seconds(deaths, 30) < 20
    assert not is_locked(folder / ALIVE_LOCK)
    deaths.follow([folder])
    assert seconds(deaths, 0.2) >= 0.19, "it is told once"


def test_nobody_hears_of_a_journal_that_is_not_followed_any_more(deaths, writer, tmp_path):
    deaths.follow(run_folders(tmp_path))
    deaths.follow([])
    writer.kill()
    writer.wait()
    assert seconds(deaths, 0.2) >= 0.19


def test_a_process_that_was_gone_before_is_none(deaths, writer, tmp_path):
    writer.kill()
    writer.wait()
    deaths.follow(run_folders(tmp_path))
    deaths.follow([tmp_path / "deleted"])
    assert seconds(deaths, 0.2) >= 0.19


def test_it_is_woken(deaths):
    Timer(0.1, deaths.wake).start()
    assert seconds(deaths, 30) < 20
    deaths.wake()
    deaths.wake()
    assert seconds(deaths, 30) < 20
    assert seconds(deaths, 0.2) >= 0.19


def test_a_journal_of_this_process_stays_locked(deaths, tmp_path):
    journal, _ = create_journal(tmp_path, "run", {}, destination="key", budget=1 << 26)
    deaths.follow([journal.folder])
    command = [sys.executable, "-c", LOOK, str(journal.folder / ALIVE_LOCK)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "True\n"
    journal.close()
    eventually(lambda: not is_locked(journal.folder / ALIVE_LOCK))
