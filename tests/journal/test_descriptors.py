"""Files held open where anybody may close descriptors by their numbers, and standard streams may be closed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from synapse_otel.journal import segment
from synapse_otel.journal.creation import create_journal
from synapse_otel.journal.frames import Kind, encode
from synapse_otel.journal.reader import read_all
from synapse_otel.semconv.signal import Signal

THEIRS = b"the user's own words\n" * 100


def in_child(act):
    """Do something in a process of its own; return whether it went well."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            act()
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0


def log(journal, number):
    journal.append(Kind.LOG, Signal.LOGS, encode([number, 9, "INFO", None, f"message {number}", {}, b"", 0]))


def opened_by_others(root, count=40):
    """Open files that get whatever numbers are free."""
    found = []
    for number in range(count):
        path = root / f"theirs-{number}"
        path.write_bytes(THEIRS)
        found.append((path, os.open(path, os.O_RDWR)))
    return found


@pytest.mark.parametrize("kind", ["mapped", "appended"])
def test_who_closes_all_descriptors_loses_nothing_and_none_of_their_files_is_touched(tmp_path, monkeypatch, kind):
    if kind == "appended":
        monkeypatch.setattr(segment, "allocate", lambda _descriptor, _size: False)

    def act():
        journal, state = create_journal(tmp_path / "root", "run", {}, destination="key", budget=1 << 26)
        log(journal, 0)
        os.closerange(3, 256)
        theirs = opened_by_others(tmp_path)
        log(journal, 1)
        journal.sync()
        journal._rotate(1)
        log(journal, 2)
        journal.flush()
        del state
        journal.close()
        for path, descriptor in theirs:
            assert os.pread(descriptor, len(THEIRS), 0) == THEIRS, "open, and as it was"
            assert path.stat().st_size == len(THEIRS)

    assert in_child(act)
    [folder] = (tmp_path / "root").iterdir()
    found = [structure.body for frame, structure in read_all(folder) if frame.kind == Kind.LOG]
    assert found == ["message 0", "message 1", "message 2"]


@pytest.mark.parametrize("closed", [(2,), (1, 2), (0, 1, 2)])
def test_a_closed_standard_stream_is_never_a_journals(tmp_path, closed):
    def act():
        for number in closed:
            os.close(number)
        journal, _state = create_journal(tmp_path / "root", "run", {}, destination="key", budget=1 << 26)
        journal._rotate(1)
        journal.sync()
        open_now = [number for number in closed if Path(f"/proc/self/fd/{number}").exists()]
        assert open_now == []
        journal.close()

    assert in_child(act)
