"""Numbers that count runs: each is given once, also to processes that ask at the same moment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from synapse_otel.journal.folder import run_folders
from synapse_otel.journal.numbering import next_number, number_of
from synapse_otel.shipper.retention import delete_leftovers

_COUNT = """
import sys
from pathlib import Path
from synapse_otel.journal.numbering import next_number, number_of
sys.stdin.readline()
print(*[next_number(Path(sys.argv[1]), "train-yolo") for _ in range(200)])
"""


def test_each_kind_counts_from_one(tmp_path):
    root = tmp_path / "journals"
    assert [next_number(root, "train-yolo") for _ in range(3)] == [1, 2, 3]
    assert next_number(root, "export-yolo") == 1
    assert next_number(root, "train-yolo") == 4


def test_processes_that_count_at_once_get_different_numbers(tmp_path):
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _COUNT, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    numbers = [int(number) for process in started for number in process.communicate(timeout=60)[0].split()]
    assert sorted(numbers) == list(range(1, 801))


@pytest.mark.parametrize("kind", ["../../etc/passwd", "a/b", "", ".", "업로드", "x" * 1_000])
def test_a_kind_is_a_file_in_the_folder_whatever_it_is_called(tmp_path, kind):
    root = tmp_path / "journals"
    assert next_number(root, kind) == 1
    (made,) = root.iterdir()
    assert made.name.startswith(".runs-")
    assert made.stat().st_mode & 0o777 == 0o600


def test_nobody_takes_the_numbers_for_a_run_or_for_a_leftover(tmp_path):
    next_number(tmp_path, "train-yolo")
    (made,) = tmp_path.iterdir()
    os.utime(made, (0, 0))
    delete_leftovers(tmp_path)
    assert list(run_folders(tmp_path)) == []
    assert next_number(tmp_path, "train-yolo") == 2


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"file"):
        next_number(Path(tmp_path / "file" / "journals"), "train-yolo")


def test_a_link_in_the_place_of_the_file_is_not_followed(tmp_path):
    (tmp_path / ".runs-train-yolo").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"symbolic links"):
        next_number(tmp_path, "train-yolo")
    assert not (tmp_path / "elsewhere").exists()


def test_a_job_has_one_number_and_others_go_on_counting(tmp_path):
    assert [number_of(tmp_path, "train-yolo", job) for job in ("a" * 40, "b" * 40, "a" * 40)] == [1, 2, 1]
    assert next_number(tmp_path, "train-yolo") == 3
    assert number_of(tmp_path, "train-coco", "a" * 40) == 1
    assert [path.stat().st_mode & 0o777 for path in tmp_path.glob(".jobs-*")] == [0o600] * 2


def test_a_file_that_was_cut_off_keeps_the_numbers_before(tmp_path):
    assert [number_of(tmp_path, "train-yolo", job) for job in ("a" * 40, "b" * 40)] == [1, 2]
    path = tmp_path / ".jobs-train-yolo"
    path.write_bytes(path.read_bytes()[:-3])
    assert number_of(tmp_path, "train-yolo", "a" * 40) == 1


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("elsewhere"), os.mkfifo], ids=["link", "pipe"])
def test_what_stands_in_the_place_of_the_numbers_is_an_error(tmp_path, make):
    make(tmp_path / ".jobs-train-yolo")
    with pytest.raises(OSError, match=r"train-yolo|symbolic links"):
        number_of(tmp_path, "train-yolo", "a" * 40)
