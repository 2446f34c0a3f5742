"""The lock that says that a job lives: what does not release it, and what others see of it."""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import signal
import subprocess
import sys

import pytest

from synapse_otel.journal.files import locks
from synapse_otel.journal.files.locks import FileLock, holder, is_locked

needs_file_locks = pytest.mark.skipif(locks._SET_LOCK is None, reason="no locks of open file descriptions here")


@pytest.fixture
def lock(tmp_path):
    made = FileLock(tmp_path / "lock")
    assert made.acquire()
    yield made
    made.release()


def asked_elsewhere(lock, question="is_locked"):
    program = (
        f"import sys; from pathlib import Path; from synapse_otel.journal.files.locks import {question}\n"
        f"print({question}(Path(sys.argv[1])))"
    )
    return subprocess.check_output([sys.executable, "-c", program, lock.path], text=True).strip()


def pack(lock):
    shutil.make_archive(str(lock.path.parent.parent / "packed"), "zip", lock.path.parent)


def close_by_number(_lock):
    os.closerange(3, 4096)


def close_directly(lock):
    os.close(lock._file.number)


@needs_file_locks
@pytest.mark.parametrize("act", [pack, close_by_number, close_directly])
def test_nothing_that_the_process_opens_or_closes_releases_it(tmp_path, act):
    child = os.fork()
    if child == 0:  # closing all that pytest has open is nothing for the test's own process
        lock = FileLock(tmp_path / "lock")
        lock.acquire()
        act(lock)
        os._exit(0 if asked_elsewhere(lock) == "True" and not FileLock(lock.path).acquire() else 1)
    assert os.waitpid(child, 0)[1] == 0


@needs_file_locks
def test_a_child_that_python_does_not_know_of_does_not_keep_the_lock_of_a_parent_that_is_gone(tmp_path):
    read, write = os.pipe()
    parent = os.fork()
    if parent == 0:
        lock = FileLock(tmp_path / "lock")
        lock.acquire()
        child = ctypes.CDLL(None).fork()
        if child == 0:
            signal.pause()
        os.write(write, str(child).encode())
        os._exit(0)
    os.waitpid(parent, 0)
    child = int(os.read(read, 20))
    os.close(read)
    os.close(write)
    try:
        os.kill(child, 0)
        assert not is_locked(tmp_path / "lock")
    finally:
        os.kill(child, signal.SIGKILL)


def test_others_learn_which_process_holds_it(lock):
    assert asked_elsewhere(lock, "holder") == str(os.getpid())
    assert holder(lock.path) == os.getpid()


@needs_file_locks
def test_it_is_told_again_which_process_holds_it_after_somebody_has_packed_the_folder(lock, tmp_path):
    (tmp_path / "lock").read_bytes()
    assert [asked_elsewhere(lock), asked_elsewhere(lock, "holder")] == ["True", "None"]
    lock.renew()
    assert [asked_elsewhere(lock), asked_elsewhere(lock, "holder")] == ["True", str(os.getpid())]


@needs_file_locks
def test_one_that_the_kernel_has_released_is_taken_again(lock):
    locks._unmap(lock._mapping)  # as a file server does that was away for too long
    assert asked_elsewhere(lock) == "False"
    lock._mapping = locks._mapped(lock._file.number)
    lock.renew()
    assert asked_elsewhere(lock) == "True"


@needs_file_locks
def test_older_releases_and_this_one_see_each_others_locks(lock, tmp_path):
    program = (
        "import fcntl, sys; file = open(sys.argv[1], 'r+')\n"
        "try: fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
        "except OSError: print('taken', flush=True)\n"
        "else: print('got it', flush=True)\n"
        "sys.stdin.read()"
    )

    def older(path):
        return subprocess.Popen(
            [sys.executable, "-c", program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    with older(lock.path) as process:
        assert process.stdout.readline() == "taken\n"
    (tmp_path / "other").touch()
    with older(tmp_path / "other") as process:
        assert process.stdout.readline() == "got it\n"
        assert is_locked(tmp_path / "other")
        assert not FileLock(tmp_path / "other").acquire()
        assert holder(tmp_path / "other") == process.pid
        process.stdin.close()


def no_file_locks(monkeypatch):
    monkeypatch.setattr(locks, "_SET_LOCK", None)


def refused_by_the_kernel(monkeypatch):
    monkeypatch.setattr(locks, "_SET_LOCK", 9999)  # as gVisor does: EINVAL


def no_mapping(monkeypatch):
    monkeypatch.setattr(locks, "_mapped", lambda _descriptor: None)


@pytest.mark.parametrize("lacks", [no_file_locks, refused_by_the_kernel, no_mapping])
def test_where_the_kernel_or_the_file_system_lacks_something_it_is_a_lock_all_the_same(tmp_path, monkeypatch, lacks):
    lacks(monkeypatch)
    lock = FileLock(tmp_path / "lock")
    assert lock.acquire()
    assert [asked_elsewhere(lock), asked_elsewhere(lock, "holder")] == ["True", str(os.getpid())]
    assert is_locked(lock.path)
    assert not FileLock(lock.path).acquire()
    lock.renew()
    assert asked_elsewhere(lock) == "True"
    lock.release()
    assert asked_elsewhere(lock) == "False"


def test_it_takes_no_descriptor_of_a_standard_stream(tmp_path):
    child = os.fork()
    if child == 0:
        os.closerange(0, 3)
        FileLock(tmp_path / "lock").acquire()
        taken = [number for number in range(3) if is_open(number)]
        os._exit(len(taken))
    assert os.waitpid(child, 0)[1] == 0


def is_open(number):
    try:
        fcntl.fcntl(number, fcntl.F_GETFD)
    except OSError:
        return False
    return True
