"""``synapse-otel jobs`` as a person sees it: in windows of any width, in a pipe, with runs of any kind."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len

from synapse_otel.cli.jobs.details import details
from synapse_otel.cli.jobs.table import fitted_table, whole_table
from synapse_otel.journal.account import Account
from synapse_otel.journal.folder import Run
from synapse_otel.runs import JobOverview, Overview, RunState
from synapse_otel.ui.glyphs import ASCII, UNICODE
from tests.plugins.terminal import shown
from tests.runs.runs import COMMAND, environment

pytestmark = pytest.mark.once

NOW = 1_795_000_000_000_000_000
CODES = re.compile(r"\x1b\[\d*m")


def overview(state="done", result="success", error="", *, action="train", plugin="yolo", job="job-1", lost=0):
    state = RunState(state)
    account = Account(emitted=10 + lost, delivered=7, dropped={"evicted": lost} if lost else {})
    one = JobOverview(job, action, plugin, "1.0", "", "a" * 32, NOW, NOW + 10**9, result, error, state)
    run = Run("0" * 32, "run", NOW / 1e9, 1, "", keep=False, parent="", continues=False)
    return Overview(
        folders=[Path("20261123T000000Z-run-00000000")],
        run=run,
        state=state,
        jobs=[one],
        progress=[],
        account=account,
        by_signal={},
        exit=None,
        last=NOW + 10**9,
        version=1,
    )


FOUND = [
    overview(),
    overview("done", "failure", "KeyError", job="5fcbf50f753740fea14dd9281940b507"),
    overview("crashed", "error", "killed", plugin="a plugin with a name that is longer than most"),
    overview("live", "", plugin="업로드 업로드 업로드 업로드"),
    overview("stalled", "", plugin="\x1b[31mred\x1b[2J\nand more", job="\u202e<script>"),
]


def table(found, width, *, colours=False, glyphs=UNICODE):
    return list(fitted_table(found, width, glyphs, colours=colours))


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120, 400])
def test_a_table_fits_the_window(width):
    lines = table(FOUND, width)
    assert all(cell_len(line) <= width for line in lines)
    assert all(line.isprintable() for line in lines)
    assert lines[0].split()[:2] == ["STATE", "NAME"]
    starts = {cell_len(line[: line.index("train")]) for line in lines[1:6] if "train" in line}
    assert len(starts) == 1


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (40, "STATE NAME"),
        (60, "STATE NAME STARTED DURATION PROGRESS"),
        (80, "STATE NAME STARTED DURATION PROGRESS PENDING"),
        (120, "STATE NAME JOB STARTED DURATION PROGRESS DELIVERED PENDING"),
    ],
)
def test_a_narrow_window_has_fewer_columns(width, columns):
    assert " ".join(table(FOUND, width)[0].split()).startswith(columns)


def test_what_was_dropped_has_a_column_when_there_is_any():
    assert "DROPPED" not in table(FOUND, 200)[0]
    heading, line, *_ = table([overview(lost=3)], 200)
    assert heading.split()[-1] == "DROPPED"
    assert line.split()[-1] == "3"


def test_the_states_are_counted_and_coloured():
    lines = table(FOUND, 120, colours=True)
    assert lines[-1] == "5 runs: 1 success, 1 failure, 1 crashed, 1 live, 1 stalled; 15 records pending"
    coloured = {CODES.sub("", line).split()[0]: line[:5] for line in lines[1:6]}
    assert coloured == {
        "success": "\x1b[32m",
        "failure": "\x1b[31m",
        "crashed": "\x1b[31m",
        "live": "\x1b[36m",
        "stalled": "\x1b[33m",
    }
    assert [CODES.sub("", line) for line in lines] == table(FOUND, 120)


def test_a_terminal_without_unicode():
    assert all(line.isascii() for line in table([FOUND[0], FOUND[2]], 60, glyphs=ASCII))


def test_in_a_pipe_nothing_is_cut():
    heading, *lines = whole_table(FOUND)
    assert heading.split()[:3] == ["STATE", "RESULT", "ACTION"]
    assert "a plugin with a name that is longer than most" in lines[2]
    assert len({cell_len(line[: line.index("job-1")]) for line in (lines[0], lines[2], lines[3])}) == 1


def test_a_run_of_a_newer_version_is_marked():
    newer = dataclasses.replace(FOUND[0], version=99)
    assert table([newer], 80)[1].startswith("success?")
    assert "written by a newer synapse-otel" in "\n".join(details(newer))


def test_many_categories_do_not_flood_the_details(many):
    lines = [line for line in details(Overview.read([many])) if line.startswith("progress")]
    assert len(lines) == 12
    assert "phase 99" in lines[-1]
    assert "and 88 categories that moved earlier; --json has them" in "\n".join(details(Overview.read([many])))


def on_a_terminal(root, *arguments, columns=80, **variables):
    program = f"import sys; sys.argv = ['synapse-otel', *{arguments!r}]\n{COMMAND}"
    return shown(program, columns=columns, **{**environment(root, **variables), "COLUMNS": str(columns)})


@pytest.mark.parametrize("columns", [60, 100])
def test_on_a_terminal(success, failure, killed, tmp_path, columns):
    for folder in (success, failure, killed):
        shutil.copytree(folder, tmp_path / folder.name)
    terminal = on_a_terminal(tmp_path, "jobs", columns=columns)
    assert not terminal.screen.unknown
    heading, *lines = terminal.screen.lines
    assert heading.startswith("STATE")
    assert len(lines) in {4, 5}
    assert "2/2" in lines[0]
    assert lines[3].startswith("2 runs: 1 failure, 1 crashed;")
    assert "\x1b[31mfailure" in terminal.text
    assert "\x1b" not in on_a_terminal(tmp_path, "jobs", columns=columns, NO_COLOR="1").text


def test_who_reads_no_further_gets_no_complaint(success, tmp_path):
    for number in range(300):
        shutil.copytree(success, tmp_path / f"{success.name}{number}")
        text = (tmp_path / f"{success.name}{number}" / "run.json").read_text()
        known = re.search(r'"journal": ?"(\w+)"', text)[1]
        (tmp_path / f"{success.name}{number}" / "run.json").write_text(text.replace(known, f"{number:032x}"))
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, "jobs"],
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (141, "")
