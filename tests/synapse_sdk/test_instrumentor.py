"""The instrumentor itself: what it puts back, what it does without, and that nothing of ours reaches the plugin."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from synapse_otel.journal.folder import run_folders, spare_roots
from tests.synapse_sdk.cases import VERSIONS
from tests.synapse_sdk.recorded import recorded_jobs, recorded_spans
from tests.synapse_sdk.running import HERE, Sdk

pytestmark = pytest.mark.once
NEWEST = VERSIONS[-1]


def run(name: str, folder, version: str = NEWEST, how: str = "variables", **more: str):
    """Run one of the programs; return what ended it, with its output, and the SDK with its journals."""
    sdk = Sdk(version, how, folder)
    command = sdk.command(str(HERE / "programs.py"), name, folder=folder, PYTHONWARNINGS="ignore", **more)
    ended = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    return ended, sdk


@pytest.mark.parametrize("version", VERSIONS)
def test_uninstrument_puts_the_very_objects_back(version, tmp_path):
    ended, _sdk = run("restored", tmp_path, version, how="bare")
    found = json.loads(ended.stdout)
    assert found["same"]
    assert found["changed"] > 25


def test_nothing_of_the_sdk_is_imported_for_it(tmp_path):
    ended, _sdk = run("nothing_imported", tmp_path, how="bare")
    assert json.loads(ended.stdout) == [], ended.stderr


def test_what_a_version_lacks_is_said_once_and_the_rest_is_recorded(tmp_path):
    ended, sdk = run(
        "hooks_missing",
        tmp_path,
        how="bare",
        SYNAPSE_OTEL_JOURNAL_DIR=str(tmp_path / "journals"),
        SYNAPSE_OTEL_SHIPPER="off",
    )
    assert ended.stderr.count("synapse_sdk.loggers.BaseLogger.set_progress_failed") == 1
    assert [one.events for one in recorded_jobs(sdk.journals, "job-1")] == [["still recorded"]] * 2


def test_a_failure_of_ours_is_said_once_and_never_reaches_the_plugin(tmp_path):
    ended, _sdk = run("fails_inside", tmp_path)
    assert (ended.returncode, ended.stdout) == (0, '"returned"\n'), ended.stderr
    assert ended.stderr.count("RuntimeError: ours") == 1


def test_a_pickled_context_takes_its_job_along(tmp_path):
    ended, sdk = run("pickled", tmp_path)
    assert ended.returncode == 0, ended.stderr
    (found,) = recorded_jobs(sdk.journals, "job-1")
    assert found.events == ["in the worker"]
    worker = next(span for span in recorded_spans(sdk.journals) if span.name.startswith("worker "))
    assert (worker.trace_id, worker.parent_id) == (found.job.trace_id, found.job.span_id)


def test_a_logger_of_the_plugins_own_is_recorded_once(tmp_path):
    ended, sdk = run("own_logger", tmp_path)
    assert ended.returncode == 0, ended.stderr
    (found,) = recorded_jobs(sdk.journals, "job-1")
    assert found.events == ["past", "through"]


@pytest.mark.parametrize(
    "variables",
    [
        {"SYNAPSE_OTEL_INSTRUMENT": "false"},
        {"OTEL_SDK_DISABLED": "true"},
        {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "httpx, synapse_sdk"},
    ],
)
def test_it_can_be_turned_off(variables, tmp_path):
    ended, sdk = run(
        "own_logger",
        tmp_path,
        **(
            {"how": "bare", "SYNAPSE_OTEL_JOURNAL_DIR": str(tmp_path / "journals")}
            if "SYNAPSE_OTEL_INSTRUMENT" in variables
            else {}
        ),
        **variables,
    )
    assert ended.returncode == 0, ended.stderr
    assert recorded_jobs(sdk.journals, "job-1") == []


@pytest.mark.parametrize(("setting", "requests"), [("", []), ("true", ["GET"]), ("perhaps", [])])
def test_the_sdks_own_requests_make_spans_if_that_is_asked_for(setting, requests, platform, tmp_path):
    variables = {"SYNAPSE_OTEL_SDK_REQUEST_SPANS": setting, "PLATFORM": platform.url("asked" + setting)}
    ended, sdk = run("asks_the_platform", tmp_path, **variables)
    assert ended.returncode == 0, ended.stderr
    assert len(platform.requests("asked" + setting)) == 1
    assert ("SYNAPSE_OTEL_SDK_REQUEST_SPANS" in ended.stderr) == (setting == "perhaps")
    assert [span.name for span in recorded_spans(sdk.journals) if span.scope != "synapse_otel"] == requests


def test_without_ray_the_rest_works_and_the_sdks_own_error_is_seen(tmp_path):
    ended, sdk = run("without_ray", tmp_path)
    assert ended.stdout.splitlines()[-1] == '"ray"', ended.stderr
    assert [one.events for one in recorded_jobs(sdk.journals, "job-1")] == [["told"]]


@pytest.fixture
def _nothing_left_in_spare_roots():
    """Delete the runs of this test's actions from the folders that all jobs share where theirs cannot be written."""

    def found():
        return {folder for root in spare_roots() for folder in run_folders(root) if "-Action-Action-" in folder.name}

    before = found()
    yield
    for folder in found() - before:
        shutil.rmtree(folder)


@pytest.mark.usefixtures("_nothing_left_in_spare_roots")
def test_a_disk_that_cannot_be_written_is_said_and_the_plugin_goes_on(tmp_path):
    (tmp_path / "file").touch()
    ended, _sdk = run(
        "own_logger",
        tmp_path,
        how="bare",
        SYNAPSE_OTEL_INSTRUMENT="true",
        SYNAPSE_OTEL_SHIPPER="off",
        SYNAPSE_OTEL_JOURNAL_DIR=str(tmp_path / "file" / "journals"),
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("cannot write the journal") == 1


PLUGIN_TEST = """
from sample_plugin.training import TrainAction

def test_training(synapse_job):
    result = TrainAction.dispatch({"dataset": 1, "epochs": 2}, synapse_job.sdk_ctx)
    assert result["success"]
    assert synapse_job.samples("loss", "learn") == [1.0, 0.5]
    assert synapse_job.progress["learn"].current == 100
    assert synapse_job.messages[0].body == "Preparing"
    assert synapse_job.span("learn").result == "success"
    assert synapse_job.spans[0].span_id == synapse_job.span("learn").parent_id

def test_again(synapse_job):
    synapse_job.sdk_ctx.log("told", {"a": 1})
    assert [event.event_name for event in synapse_job.events] == ["told"]
"""


@pytest.mark.parametrize("version", VERSIONS)
def test_the_fixture_of_plugins_tests(version, tmp_path):
    (tmp_path / "test_plugin.py").write_text(PLUGIN_TEST)
    sdk = Sdk(version, "bare", tmp_path)
    command = sdk.command(
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore", "test_plugin.py"),
        folder=tmp_path,
        PYTHONPATH=str(HERE / "plugin"),
    )
    ended = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert "2 passed" in ended.stdout, ended.stdout + ended.stderr
