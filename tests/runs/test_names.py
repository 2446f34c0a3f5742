"""What runs are called: as somebody says, or by a number; they are found by it, and every backend is told."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import msgspec
import pytest

from synapse_otel.journal.folder import run_folders
from synapse_otel.mapping.start_job import JobSpec
from synapse_otel.runs import Overview, RunNotFoundError, find_run, find_runs, nearest
from tests.runs.runs import command, environment
from tests.sink import Sink, attributes

_JOB = """
import json, sys, synapse_otel
from synapse_otel.loggers import NoOpLogger
for arguments in json.loads(sys.argv[1]):
    with synapse_otel.job("train", plugin="yolo", logger=NoOpLogger(), **arguments) as ctx:
        ctx.set_metrics({"loss": 1.0})
"""


def record(root, *jobs: dict[str, Any], **variables: str) -> list[Overview]:
    """Run jobs one after the other in a process, and return all runs below the root."""
    called = [sys.executable, "-c", _JOB, msgspec.json.encode(jobs).decode()]
    subprocess.run(called, env=environment(root, **variables), check=True, timeout=60, capture_output=True)
    return [Overview.read([folder]) for folder in sorted(run_folders(root), key=lambda one: one.stat().st_mtime_ns)]


def names(root) -> set[str]:
    return {Overview.read([folder]).name for folder in run_folders(root)}


def test_a_run_without_a_name_is_counted(tmp_path):
    record(tmp_path, {}, {})
    record(tmp_path, {})
    assert names(tmp_path) == {"train-yolo-1", "train-yolo-2", "train-yolo-3"}
    one = Overview.read([find_run("train-yolo-2", [tmp_path])])
    assert one.run.name == one.name == "train-yolo-2"
    assert "-train-yolo-2-" in one.folders[0].name


def test_a_short_id_of_the_platform_is_in_the_name_and_a_long_one_is_not(tmp_path):
    record(tmp_path, {"job_id": "4711"}, {"job_id": "4711"}, {"job_id": "0f9619ff-8b86-d011-b42d-00cf4fc964ff"})
    assert names(tmp_path) == {"train-yolo-4711", "train-yolo-1"}


def test_attempts_of_a_job_with_a_long_id_have_one_name(tmp_path):
    job, other = "0f9619ff-8b86-d011-b42d-00cf4fc964ff", "0f9619ff-8b86-d011-b42d-00cf4fc964fe"
    record(tmp_path, {"job_id": job})
    record(tmp_path, {}, {"job_id": other})
    record(tmp_path, {"job_id": job})
    record(tmp_path, {"job_id": job, "name": "nightly"}, {"job_id": other})
    found = {}
    for one in (Overview.read([folder]) for folder in run_folders(tmp_path)):
        found.setdefault(one.job.id, []).append(one.name)
    assert sorted(found.pop(job)) == ["nightly", "train-yolo-1", "train-yolo-1"]
    assert found.pop(other) == ["train-yolo-3"] * 2
    assert list(found.values()) == [["train-yolo-2"]]
    listed = [line.split()[-1] for line in command(tmp_path, "jobs").stdout.splitlines()[1:]]
    assert sorted(listed) == ["nightly", "train-yolo-2", "train-yolo-3"]
    assert len(find_runs("train-yolo-3", [tmp_path])) == 2


def test_attempts_that_begin_at_once_have_one_name(tmp_path):
    called = [sys.executable, "-c", _JOB, '[{"job_id": "0f9619ff-8b86-d011-b42d-00cf4fc964ff"}]']
    started = [subprocess.Popen(called, env=environment(tmp_path), stderr=subprocess.DEVNULL) for _ in range(6)]
    assert [one.wait(60) for one in started] == [0] * 6
    assert len(list(run_folders(tmp_path))) == 6
    assert len(names(tmp_path)) == 1


def test_a_name_tags_and_notes_are_kept_and_found(tmp_path):
    (one,) = record(tmp_path, {"name": "night ly", "tags": ["base", "gpu", "base"], "notes": "two\nlines"})
    assert (one.name, one.tags, one.jobs[0].notes) == ("night ly", ["base", "gpu"], "two\nlines")
    for text in ("night ly", "ight", "base", "gpu"):
        assert find_run(text, [tmp_path]) == one.folders[0]
    shown = command(tmp_path, "show", "base").stdout
    assert shown.startswith("night ly  train yolo")
    assert "base, gpu" in shown
    assert "two lines" in shown


def test_what_the_environment_says_holds_where_the_job_says_nothing(tmp_path):
    variables = {
        "SYNAPSE_OTEL_RUN_NAME": "nightly",
        "SYNAPSE_OTEL_RUN_TAGS": "base, gpu",
        "SYNAPSE_OTEL_RUN_NOTES": "of the environment",
    }
    record(tmp_path, {}, {"name": "own", "tags": ["more"], "notes": "own notes"}, **variables)
    found = {one.name: one for one in map(Overview.read, ([folder] for folder in run_folders(tmp_path)))}
    assert found["nightly"].tags == ["base", "gpu"]
    assert found["nightly"].jobs[0].notes == "of the environment"
    assert found["own"].tags == ["more", "base", "gpu"]
    assert found["own"].jobs[0].notes == "own notes"


def test_run_gives_name_tags_and_notes_to_the_job(tmp_path):
    arguments = ("run", "--name", "nightly", "--tag", "base", "--tag", "gpu", "--notes", "as every night")
    ended = command(tmp_path, *arguments, "--", sys.executable, "-c", _JOB, "[{}]")
    assert ended.returncode == 0, ended.stderr
    (folder,) = run_folders(tmp_path)
    one = Overview.read([folder])
    assert (one.name, one.tags, one.jobs[0].notes) == ("nightly", ["base", "gpu"], "as every night")


def test_run_without_a_name_leaves_the_job_its_own(tmp_path):
    assert command(tmp_path, "run", "--", sys.executable, "-c", _JOB, "[{}]").returncode == 0
    assert names(tmp_path) == {"train-yolo-1"}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("two\nlines\tand tabs", "two lines and tabs"),
        ("\x1b[31mred\x07\u202e", "[31mred"),
        ("x" * 10_000, "x" * 97 + "..."),
        ("password=hunter2hunter2", "password=[redacted]"),
        ("업로드 7", "업로드 7"),
    ],
)
def test_a_name_is_one_line_that_can_be_shown(given, shown):
    spec = JobSpec(action="train", plugin="yolo", name=given, tags=[given])
    assert (spec.name, spec.tags) == (shown, (shown,))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"name": ""}, ValueError, "name must not be empty, got ''"),
        ({"name": " \n"}, ValueError, "name must not be empty"),
        ({"name": "\x1b\x07"}, ValueError, "name must have a character that can be shown"),
        ({"name": 7}, TypeError, "name must be text, not 7"),
        ({"tags": "base"}, TypeError, "tags must be a list of texts, not 'base'"),
        ({"tags": b"base"}, TypeError, "tags must be a list of texts, not b'base'"),
        ({"tags": 7}, TypeError, "tags must be a list of texts, not 7"),
        ({"tags": {"a": 1}}, TypeError, "tags must be a list of texts"),
        ({"tags": ["a", 7]}, TypeError, "each of tags must be text, not 7"),
        ({"tags": ["a", ""]}, ValueError, "each of tags must not be empty"),
        ({"tags": map(str, range(65))}, ValueError, "tags must be at most 64, got 65"),
        ({"notes": ["a"]}, TypeError, "notes must be text"),
        ({"notes": " "}, ValueError, "notes must not be empty"),
    ],
)
def test_a_mistake_is_said_before_anything_begins(arguments, error, message):
    with pytest.raises(error, match="^" + message.replace("(", r"\(")):
        JobSpec(action="train", plugin="yolo", **arguments)


def test_where_no_journal_can_be_counted_the_job_runs_and_has_a_name(tmp_path):
    (tmp_path / "file").touch()
    nowhere = "from synapse_otel.journal import folder; folder.spare_roots = list"  # and leaves nothing in memory
    program = f"{nowhere}\n{_JOB}\nprint(ctx._job.run_name)"
    called = [sys.executable, "-c", program, "[{}]"]
    ended = subprocess.run(
        called, env=environment(tmp_path / "file"), timeout=60, capture_output=True, text=True, check=True
    )
    assert ended.stdout.startswith("train-yolo-")
    assert len(ended.stdout.strip()) == len("train-yolo-") + 4


def test_a_job_inside_another_has_its_run_s_name_or_its_own(tmp_path):
    program = """
import synapse_otel
from synapse_otel.loggers import NoOpLogger
with synapse_otel.job("train", plugin="yolo", logger=NoOpLogger()):
    with synapse_otel.job("export", plugin="coco", logger=NoOpLogger()):
        pass
    with synapse_otel.job("export", plugin="coco", logger=NoOpLogger(), name="inner"):
        pass
"""
    subprocess.run([sys.executable, "-c", program], env=environment(tmp_path), check=True, timeout=60)
    (folder,) = run_folders(tmp_path)
    assert [job.name for job in Overview.read([folder]).jobs] == ["train-yolo-1", "train-yolo-1", "inner"]
    assert find_run("inner", [tmp_path]) == folder


def test_every_backend_is_told_and_no_series_is_made_of_a_name(tmp_path):
    record(tmp_path, {"name": "nightly", "tags": ["base", "gpu"], "notes": "with less data", "job_id": "job-1"})
    with Sink() as sink:
        assert command(tmp_path, "sync", "--all", OTEL_EXPORTER_OTLP_ENDPOINT=sink.url).returncode == 0
        (span,) = sink.spans()
        points = sink.points("synapse.job.metric")
        resources = [
            attributes(group.resource)
            for path, member in (("/v1/logs", "resource_logs"), ("/v1/traces", "resource_spans"))
            for request in sink.accepted(path)
            for group in getattr(request.message, member)
        ]
    told = attributes(span)
    assert told["synapse.run.name"] == "nightly"
    assert list(told["synapse.run.tags"]) == ["base", "gpu"]
    assert told["synapse.run.notes"] == "with less data"
    assert resources
    assert {resource["synapse.run.name"] for resource in resources} == {"nightly"}
    assert points
    assert not any(key.startswith("synapse.run.") for point in points for key in point.attributes)


def test_a_name_that_is_nearly_right_is_suggested(tmp_path):
    record(tmp_path, {"name": "Nightly", "tags": ["baseline"]}, {})
    with pytest.raises(RunNotFoundError, match="there is no run 'nihgtly'; did you mean Nightly"):
        find_runs("nihgtly", [tmp_path])


def test_the_nearest_name_is_one_that_is_like_the_text():
    assert nearest("trian-yolo-1", ["export-coco-1", "train-yolo-1", "train-yolo-12"]) == "train-yolo-1"
    assert nearest("zzz", ["train-yolo-1"]) == ""
    assert nearest("TRAIN", ["Train"]) == "Train"


def test_the_last_line_of_a_job_says_how_to_look_at_it(tmp_path):
    called = [sys.executable, "-c", _JOB, '[{"name": "night ly"}]']
    ended = subprocess.run(called, env=environment(tmp_path), check=True, timeout=60, capture_output=True, text=True)
    (line,) = ended.stderr.splitlines()
    assert line.startswith("synapse-otel: night ly: success in ")
    assert line.endswith(" · synapse-otel view 'night ly'")
