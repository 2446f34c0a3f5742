"""A job's processes as the system tells of them: real ones, and what must not be taken for one of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from types import SimpleNamespace

import pytest

from synapse_otel.shipper.usage.proc_tree import ProcTree, parents, tells_children
from synapse_otel.shipper.usage.psutil_tree import PsutilTree
from synapse_otel.shipper.usage.reading import Total
from tests.eventually import eventually

pytestmark = pytest.mark.once

MEBIBYTE = 1 << 20
PROGRAM = """
import os, subprocess, sys, threading
def say(*words): print(*words, flush=True)
children = []
say("ready")
for line in sys.stdin:
    word, *rest = line.split()
    if word == "hold":
        held = bytearray(b"x") * (int(rest[0]) << 20)
        del held
    elif word == "child":
        children.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))
    elif word == "thread":  # a thread that has begun a process, and goes on
        thread = threading.Thread(target=lambda: (
            children.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)),
            started.set(), threading.Event().wait()), daemon=True)
        started = threading.Event()
        thread.start()
        started.wait()
    elif word == "orphan":  # a grandchild whose parent is gone
        code = "import subprocess,sys; p=subprocess.Popen([sys.executable,'-c','input()'],stdin=0); input()"
        children.append(subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE))
    elif word == "end":
        child = children.pop()
        child.stdin.close()
        child.wait()
    elif word == "burn":
        subprocess.run([sys.executable, "-c", "for i in range(10_000_000): pass"])
    say("done", children[-1].pid if children else 0)
"""


@pytest.fixture
def process():
    started = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert started.stdout.readline() == "ready\n"

    def tell(line):
        started.stdin.write(f"{line}\n")
        started.stdin.flush()
        return int(started.stdout.readline().split()[1])

    yield SimpleNamespace(pid=started.pid, tell=tell, popen=started)
    with suppress(ProcessLookupError):
        os.killpg(started.pid, signal.SIGKILL)
    started.communicate()


@pytest.fixture(params=[ProcTree, PsutilTree], ids=["proc", "psutil"])
def tree(request, process):
    return request.param(process.pid)


def test_here_the_kernel_tells_of_children():
    assert tells_children()


def test_children_belong_to_it_those_of_threads_too_and_their_time_stays_when_they_are_gone(tree, process):
    before = tree.read()
    assert before.pids == {process.pid}
    child, of_thread = process.tell("child"), process.tell("thread")
    assert tree.read().pids == {process.pid, child, of_thread}
    process.tell("burn")
    after = tree.read()
    assert after.user > before.user + 0.05
    assert after.memory > before.memory
    process.tell("end")
    assert tree.read().pids == {process.pid, child}
    assert tree.read().user >= after.user


def test_memory_held_between_two_looks_is_known(process):
    tree = ProcTree(process.pid)
    first = tree.read()
    assert first.memory_peak == first.memory, "what was before is not of the time that is looked at"
    process.tell("hold 150")
    second = tree.read()
    assert second.memory_peak >= 150 * MEBIBYTE > second.memory
    assert tree.read().memory_peak == pytest.approx(tree.read().memory, abs=MEBIBYTE)


def test_a_process_whose_parent_has_ended_belongs_to_it_still(process):
    tree = ProcTree(process.pid)
    process.tell("orphan")
    found = eventually(lambda: len(pids := tree.read().pids) == 3 and pids, within=60)
    (middle,) = (pid for pid in found if parents(pid)[0] == process.pid)
    os.kill(middle, signal.SIGKILL)
    (orphan,) = found - {process.pid, middle}
    eventually(lambda: process.pid not in parents(orphan), within=60)
    assert orphan in tree.read().pids
    os.kill(orphan, signal.SIGKILL)


def test_another_process_with_the_same_number_is_not_taken_for_it(process):
    tree = ProcTree(process.pid)
    tree._members = {process.pid: 1}  # when the one began that had the number before
    assert tree.read() is None


def test_a_process_that_is_gone_or_was_not_waited_for_has_no_reading(tree, process):
    process.popen.kill()
    eventually(lambda: tree.read() is None, within=60)
    process.popen.wait()
    assert tree.read() is None


def test_one_that_is_not_there_is_an_error():
    with pytest.raises(OSError):  # noqa: PT011 - which one depends on the moment
        ProcTree(2**22 + 1)


def test_a_process_of_many_threads_is_looked_through_by_turns(process, monkeypatch):
    monkeypatch.setattr("synapse_otel.shipper.usage.proc_tree.MOST_THREADS", 2)
    tree = ProcTree(process.pid)
    children = {process.tell("thread") for _ in range(6)}
    eventually(lambda: tree.read().pids == {process.pid} | children, within=60)


@pytest.mark.parametrize(
    ("values", "totals"),
    [
        ([1, 2, 5], [1, 2, 5]),
        ([5, 3, 6], [5, 5, 6]),  # a child ended as it was looked at: its parent has its count at the next look
        ([5, 3, 3, 4], [5, 5, 5, 6]),  # nobody has waited for it
        ([5, 3, 3, 1, 1, 2], [5, 5, 5, 5, 5, 6]),
    ],
)
def test_a_total_never_falls_and_counts_nothing_twice(values, totals):
    total = Total()
    assert [total.of(value) for value in values] == totals


def test_a_total_goes_on_where_another_has_stopped():
    total = Total(10)
    assert [total.of(value) for value in (8, 8, 9)] == [10, 10, 11]
