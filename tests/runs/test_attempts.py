"""Several runs of one job, resumed after its process was gone, are one entry with its attempts."""

from __future__ import annotations

import json
import shutil
import sys

import pytest

from synapse_otel.journal.folder import run_folders
from synapse_otel.runs import Overview, by_job
from synapse_otel.runs.live.attempts import Attempts
from synapse_otel.runs.live.index import RunIndex
from synapse_otel.runs.live.store import RunStore
from tests.runs.runs import JOB_ID, OTHER_JOB, command, run


@pytest.fixture(scope="module")
def resumed(tmp_path_factory):
    """A job that failed and then succeeded, and another one."""
    root = tmp_path_factory.mktemp("resumed")
    run(root, "failure")
    run(root, "success", **{OTHER_JOB: "job-other"})
    run(root, "success")
    return root


def overviews(root):
    return [Overview.read([folder]) for folder in run_folders(root)]


def test_runs_of_one_job_know_which_attempt_they_are(resumed):
    other, job = by_job(sorted(overviews(resumed), key=lambda one: one.start))
    assert [(one.job.id, one.attempt, one.attempts) for one in other] == [("job-other", 1, 1)]
    assert [(one.job.result, one.attempt, one.attempts) for one in job] == [("failure", 1, 2), ("success", 2, 2)]
    assert {one.job.id for one in job} == {JOB_ID}


def test_trials_of_one_search_are_no_attempts(tmp_path):
    program = """
import sys
from synapse_otel.mapping.start_job import JobSpec
from synapse_otel.runtime.job import running_job
with running_job(JobSpec(action="train", plugin="yolo", job_id="job-tune", trial=sys.argv[1] or None)):
    pass
"""
    for trial in ("", "a_00001", "a_00002", "a_00002"):
        assert command(tmp_path, "run", "--", sys.executable, "-c", program, trial).returncode == 0
    groups = by_job(sorted(overviews(tmp_path), key=lambda one: one.start))
    assert [[one.name for one in group] for group in groups] == [
        ["train-yolo-job-tune"],
        ["train-yolo-a_00001"],
        ["train-yolo-a_00002"] * 2,
    ]


def test_jobs_shows_a_job_once_and_its_details_name_the_attempts(resumed):
    rows = [line.split() for line in command(resumed, "jobs").stdout.splitlines()[1:]]
    assert [(row[1], row[-1]) for row in rows] == [
        ("success", "train-yolo-job-other"),
        ("success", "train-yolo-job-4711"),
    ]
    assert "2/2" in rows[1]
    failed, *_ = [one.folders[0].name for one in overviews(resumed) if one.job.result == "failure"]
    last = next(
        one.folders[0].name for one in overviews(resumed) if one.job.id == JOB_ID and one.job.result == "success"
    )
    lines = command(resumed, "jobs", failed).stdout.splitlines()
    assert "attempt   1 of 2" in lines
    assert f"          {last}  success" in lines
    assert "attempt" not in command(resumed, "jobs", "job-other").stdout


def test_json_has_every_run(resumed):
    found = json.loads(command(resumed, "jobs", "--json").stdout)
    assert [(one["jobs"][0]["job_id"], one["attempt"], one["attempts"]) for one in found] == [
        (JOB_ID, 1, 2),
        ("job-other", 1, 1),
        (JOB_ID, 2, 2),
    ]


def test_the_rows_of_the_list_know_their_attempts(resumed, tmp_path):
    root = shutil.copytree(resumed, tmp_path / "runs")
    index = RunIndex([root], stall_seconds=60)
    assert index.refresh(60)
    version, rows = index.rows()
    by_id = {row["id"]: row for row in rows}
    first, last = next(row["attempts"] for row in rows if row["attempts"])
    assert (by_id[first]["word"], by_id[last]["word"]) == ("failed", "done")
    assert by_id[first]["attempts"] == by_id[last]["attempts"]
    assert [row["attempts"] for row in rows if row["job"] == "job-other"] == [[]]
    told = RunStore(index).details(last)
    assert [(one["id"], one["word"]) for one in told["attempts"]] == [(first, "failed"), (last, "done")]
    shutil.rmtree(root / first)
    index._looked = 0  # as if time had passed
    assert index.refresh(60)
    assert [(row["id"], row["attempts"]) for row in index.rows(version)[1]] == [(last, [])]


def test_attempts_are_in_the_order_in_which_they_began():
    found = Attempts()
    assert found.place("b", ("job",), 2) == set()
    assert found.of("b") == []
    assert found.place("a", ("job",), 1) == {"b"}
    assert found.of("a") == found.of("b") == ["a", "b"]
    assert found.place("a", ("job",), 1) == set()
    assert found.place("a", ("other",), 1) == {"b"}
    assert found.of("b") == []
    assert found.place("c", None, 3) == set()
    assert found.of("c") == []
    assert found.remove("c") == found.remove("gone") == set()
