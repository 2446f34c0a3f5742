"""``synapse-otel jobs``: what became of the runs."""

from __future__ import annotations

import json
import os
import shutil
import time

import msgspec
import pytest

from synapse_otel.journal.folder import Exit, segment_path, write_exit
from synapse_otel.runs import Overview, Recording, RunState, run_groups
from synapse_otel.runs.state import stalled
from tests.runs.conftest import only
from tests.runs.runs import JOB_ID, command, run, start
from tests.sink import Answer, Sink

pytestmark = pytest.mark.once


def listed(root, *arguments, **variables):
    return json.loads(command(root, "jobs", "--json", *arguments, **variables).stdout)


def test_a_table_tells_of_every_job(success, failure, killed, tmp_path):
    for folder in (success, failure, killed):
        shutil.copytree(folder, tmp_path / folder.name)
    found = command(tmp_path, "jobs")
    assert (found.returncode, found.stderr) == (0, "")
    heading, *rows = found.stdout.splitlines()
    assert heading.split()[:5] == ["STATE", "RESULT", "ACTION", "PLUGIN", "JOB"]
    cells = {row.split()[0] + " " + row.split()[1]: row.split() for row in rows}
    assert set(cells) == {"done failure", "crashed error"}  # two runs of one job are one entry
    assert cells["done failure"][-2:] == ["2/2", f"train-yolo-{JOB_ID}"]
    attempts = [row.split() for row in command(tmp_path, "jobs", JOB_ID).stdout.splitlines()[1:]]
    assert [(row[1], row[-2], JOB_ID in row) for row in attempts] == [
        ("success", "1/2", True),
        ("failure", "2/2", True),
    ]
    assert "(killed)" in cells["crashed error"]
    assert "30%" in cells["crashed error"]
    by_result = {one["jobs"][0]["result"]: one for one in listed(tmp_path)}
    assert by_result["failure"]["jobs"][0]["error_type"] == "KeyError"
    for one in by_result.values():
        assert one["emitted"] == one["pending"] == Recording.read(tmp_path / one["run"]).account.emitted


def test_without_runs_it_says_so(tmp_path):
    found = command(tmp_path, "jobs")
    assert (found.returncode, found.stdout) == (
        0,
        f"there is no run in {tmp_path}; SYNAPSE_OTEL_JOURNAL_DIR sets the folder\n",
    )
    assert listed(tmp_path) == []


def _keep_nothing(folder):
    """Make a run as `SYNAPSE_OTEL_JOURNAL_KEPT_BUDGET=0` makes it."""
    path = folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "retain": False}))


def test_a_run_that_is_delivered_and_deleted_is_still_known(success, killed, tmp_path):
    for folder in (success, killed):
        shutil.copytree(folder, tmp_path / folder.name)
        _keep_nothing(tmp_path / folder.name)
    before = listed(tmp_path)
    arrived = []
    with Sink() as sink:
        endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": sink.url}
        for folder in (success, killed):
            assert command(tmp_path, "sync", folder.name, **endpoint).returncode == 0
            arrived.append(len(sink.spans(markers=True)))
    assert not list(tmp_path.glob("*/*.segment"))
    after = listed(tmp_path)
    for one, other in zip(before, after, strict=True):
        assert other["delivered"] == one["emitted"] == other["emitted"]
        for name in ("run", "state", "jobs", "progress", "last"):
            assert other[name] == one[name], name
    said = command(tmp_path, "jobs", JOB_ID).stdout
    assert "success" in said
    (done,) = (one["signals"]["traces"] for one in after if one["run"] == success.name)
    assert (done["delivered"] - done["withheld"], done["pending"]) == (arrived[0], 0)
    assert f"of them {done['withheld']} start markers of steps, not sent: the steps had ended" in said
    assert f"{killed.name}  crashed" in command(tmp_path, "jobs", "job-open").stdout


def test_all_about_one_run(killed, tmp_path):
    folder = tmp_path / killed.name
    shutil.copytree(killed, folder)
    write_exit(folder, Exit(None, "SIGKILL", core=False, stderr=["out of \x1b memory"], time=time.time()))
    with Sink(lambda request: Answer(401 if request.path == "/v1/traces" else 200)) as sink:
        command(tmp_path, "sync", folder.name, OTEL_EXPORTER_OTLP_ENDPOINT=sink.url)
    said = command(tmp_path, "jobs", "coco").stdout.splitlines()
    assert said[0] == f"run       {folder.name}  crashed"
    for line in (
        "job       export coco  job-open",
        "process   ended by SIGKILL",
        "stderr    out of ? memory",
    ):
        assert line in said
    assert any(line.startswith("progress  30%  3/10") for line in said)
    assert any(line.startswith("  traces  delivered 0 · pending ") for line in said)
    assert any(line.startswith("failure   ") and "401" in line for line in said)
    assert said[-1] == f"files     {folder}"


def test_a_job_that_lives_and_is_silent_has_stalled(tmp_path):
    with start(tmp_path, "stay") as process:
        assert process.stdout.readline() == "ready\n"
        (live,) = listed(tmp_path)
        assert (live["state"], live["jobs"][0]["ended"], live["jobs"][0]["result"]) == ("live", None, None)
        quiet = {"SYNAPSE_OTEL_STALL_TIMEOUT": "0.01"}
        assert listed(tmp_path, **quiet)[0]["state"] == "stalled"
        assert "  stalled, silent for " in command(tmp_path, "jobs", "coco", **quiet).stdout
        assert "stalled, silent for " in command(tmp_path, "show", **quiet).stdout
        process.communicate("go on\n", timeout=60)
    assert listed(tmp_path, **quiet)[0]["state"] == "done"


def test_only_a_live_run_stalls():
    assert [stalled(state, 0, 1) for state in (RunState.LIVE, RunState.CRASHED, RunState.DONE)] == [
        RunState.STALLED,
        RunState.CRASHED,
        RunState.DONE,
    ]
    assert stalled(RunState.LIVE, time.time_ns(), 60) is RunState.LIVE


def test_listing_reads_the_newest_segments_only(success, tmp_path):
    folder = tmp_path / success.name
    shutil.copytree(success, folder)
    segment_path(folder, 1).rename(segment_path(folder, 9))
    for number in range(1, 8):
        segment_path(folder, number).mkdir()  # whoever opens it fails
    found = Overview.read([folder])
    assert found.job.id == JOB_ID
    assert found.account.emitted == Recording.read(success).account.emitted


def test_a_damaged_summary_or_state_is_no_reason_not_to_tell(success, tmp_path):
    folder = tmp_path / success.name
    shutil.copytree(success, folder)
    (folder / "summary.json").write_bytes(b"\xff{")
    (folder / "exit.json").write_bytes(b'{"signal":"\xff"}')
    (folder / "state").write_bytes(os.urandom(1_000))
    (one,) = listed(tmp_path)
    assert (one["state"], one["jobs"][0]["job_id"], one["exit"]) == ("done", JOB_ID, None)


def test_what_a_forked_process_recorded_is_counted_with_its_run(success, killed, tmp_path):
    for folder in (success, killed):
        shutil.copytree(folder, tmp_path / folder.name)
    first = json.loads((success / "run.json").read_bytes())
    path = tmp_path / killed.name / "run.json"
    path.write_bytes(msgspec.json.encode({**json.loads(path.read_bytes()), "parent": first["journal"]}))
    (one,) = listed(tmp_path)
    assert one["run"] == success.name
    assert len(one["folders"]) == 2
    assert one["emitted"] == sum(Recording.read(folder).account.emitted for folder in (success, killed))
    assert [len(group) for group in run_groups([tmp_path])] == [2]


def test_the_account_of_each_signal_adds_up(tmp_path):
    with Sink() as sink:
        run(tmp_path, "success", OTEL_EXPORTER_OTLP_ENDPOINT=sink.url)
        command(tmp_path, "sync", OTEL_EXPORTER_OTLP_ENDPOINT=sink.url)
    found = Overview.read([only(tmp_path)])
    assert sum(account.emitted for account in found.by_signal.values()) == found.account.emitted
    for account in found.by_signal.values():
        assert account.complete
        assert 0 < account.emitted == account.delivered
