"""The SDK instrumented: it behaves exactly as without us, and what it does is recorded. Here without Ray."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache

import pytest

from tests.synapse_sdk.cases import IN_PROCESS, PROCESSES, VERSIONS, Case
from tests.synapse_sdk.fake_platform import FakePlatform
from tests.synapse_sdk.running import Run, Sdk

pytestmark = pytest.mark.once

HOWS = [(version, "variables") for version in VERSIONS] + [(VERSIONS[-1], "run")]
NEVER_BEGUN = {"after finish", "local: no such action", "entrypoint: no such action"}
"""Cases without an action that runs."""
Runs = Callable[[str, str], Run]


def cases_of(how: str) -> tuple[Case, ...]:
    """Return what is run in one way: under `synapse-otel run` the SDK's own command, which it is for."""
    return PROCESSES if how == "run" else (*IN_PROCESS, *PROCESSES)


@pytest.fixture(scope="module")
def runs(platform: FakePlatform, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """All cases of a release, run in one way, once for all tests."""

    @cache
    def run(version: str, how: str) -> Run:
        sdk = Sdk(version, how, tmp_path_factory.mktemp(f"{how}-{version}"))
        return Run(sdk, platform).run(cases_of(how))

    return run


# --- the SDK is as it was ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "how", "case"), [(version, how, case.name) for version, how in HOWS for case in cases_of(how)]
)
def test_the_sdk_behaves_exactly_as_without(runs, version, how, case):
    assert runs(version, how).outcome(case) == runs(version, "bare").outcome(case)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_platform_sees_all_of_the_progress(runs, version):
    sent = [
        json.loads(one["body"])
        for one in runs(version, "variables").raw("direct: train")["requests"]
        if "progress" in one["body"]
    ]
    steps = sent[-1]["progress_record"]["record"]["steps"]
    assert {name: step["proportion"] for name, step in steps.items()} == {"prepare": 20, "learn": 70, "save": 10}
    assert sent[-1]["progress_record"]["current_progress"]["overall"] == 100.0


# --- and it is recorded --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "how"), HOWS)
def test_every_action_that_ran_is_a_job(runs, version, how):
    run = runs(version, how)
    names = [case.name for case in cases_of(how)]
    assert {name: len(run.jobs(name)) for name in names} == {name: int(name not in NEVER_BEGUN) for name in names}


@pytest.mark.parametrize(
    ("version", "how", "mode"),
    [(version, "variables", mode) for version in VERSIONS for mode in ("local", "direct", "entrypoint")]
    + [(VERSIONS[-1], "run", "entrypoint")],
)
def test_a_training(runs, version, how, mode):
    found = runs(version, how).job(f"{mode}: train")
    assert (found.job.name, found.job.result) == ("train sample-plugin", "success")
    assert found.job.attributes["synapse.plugin.version"] == "1.0.0"
    assert found.job.attributes["synapse.params.epochs"] == 3
    assert found.job.attributes["synapse.model.id"] == 42
    assert found.steps == [("prepare", "success"), ("learn", "success"), ("save", "success")]
    assert found.progress("learn") == (100, 100)
    assert found.progress() == (100, 100)
    assert found.samples("learn", "loss") == [1, 1 / 2, 1 / 3]
    assert found.samples("train", "epoch") == [1, 2, 3]
    assert found.samples("save", "size_mb") == [12.5]
    assert found.messages[:4] == [
        ("info", "Preparing"),
        ("info", "Starting training for 3 epochs"),
        ("success", "3 epochs are done"),
        ("info", "한 단어"),
    ]
    assert [name for name in found.events if name != "progress"] == ["dataset", "visualization", "trials", "checkpoint"]
    assert found.developer_events == ["cache is cold"]
    checkpoint = next(log for log in found.recording.logs if log.event_name == "checkpoint")
    assert (checkpoint.category, checkpoint.data, checkpoint.file) == ("save", {"epoch": 3}, "curve.png")
    assert checkpoint.span_id == found.job.children[2].span_id


@pytest.mark.parametrize("version", VERSIONS)
def test_a_step_that_raises(runs, version):
    found = runs(version, "variables").job("local: train raises")
    assert found.job.result == "failure"
    assert found.steps == [
        ("prepare", "success"),
        ("learn", "failure"),
        ("rollback learn", "success"),
        ("rollback prepare", "success"),
    ]
    learn = found.job.children[1]
    assert learn.attributes["error.type"] == "NoSpaceLeftError"
    assert "sample_plugin.training.NoSpaceLeftError" in found.exceptions
    assert [link.span_id for link in found.job.children[2].links] == [learn.span_id]
    assert found.progress() == (90, 100), "of the job: prepare's share is 20, and that of learn, which was done, 70"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_step_that_reports_its_failure(runs, version):
    run = runs(version, "variables")
    found = run.job("direct: train fails")
    learn = found.job.children[1]
    assert (learn.result, learn.attributes["synapse.step.error"]) == ("failure", "learn found nothing")
    found = run.job("local: rollback fails")
    assert ("rollback learn", "failure") in found.steps
    assert "OSError" in found.exceptions


@pytest.mark.parametrize("version", VERSIONS)
def test_a_skipped_step(runs, version):
    found = runs(version, "variables").job("local: train skips")
    assert found.steps[0] == ("prepare", "skip")
    assert found.job.children[0].skipped
    assert found.progress() == (100, 100)


@pytest.mark.parametrize("mode", ["local", "direct"])
@pytest.mark.parametrize("version", VERSIONS)
def test_every_way_to_tell_is_recorded_once(runs, version, mode):
    found = runs(version, "variables").job(f"{mode}: plain")
    assert found.messages[:-1] == [
        ("danger", "by the action"),
        ("info", "by the logger"),
        ("warning", "careful"),
        ("error", "wrong, and going on"),
        ("critical", "very wrong, and going on"),
        ("success", "straight to the logger"),
        ("warning", "by the old name"),
        ("success", "by the old name"),
        ("danger", "Progress of files failed"),
    ]
    assert found.developer_events == ["for developers"]
    assert found.events == ["counted", "own_event", "visualization", "trials"]
    assert found.samples("validation", "f1") == [0.5]
    assert found.samples("validation", "recall") == [0.25]
    assert found.samples("train", "loss") == [0.125]
    assert found.samples("files", "files") == [3]
    assert found.progress("files") == (3, 3)
    last = [log for log in found.recording.logs if log.context][-1]
    assert last.attributes["synapse.message.code"] == "PLUGIN_RUN_COMPLETE"


@pytest.mark.parametrize("version", VERSIONS)
def test_what_the_sdk_refuses_is_not_recorded(runs, version):
    found = runs(version, "variables").job("local: wrong call let through")
    assert found.job.result == "failure"
    assert found.exceptions == ["ValueError"]


@pytest.mark.parametrize("version", VERSIONS)
def test_actions_that_are_not_dispatched_are_jobs_too(runs, version):
    run = runs(version, "variables")
    trial = run.job("trial")
    assert trial.job.name == "train sample-plugin"
    assert trial.progress() is None  # the SDK keeps the progress of a trial to itself
    for case in ("pipeline: export", "pipeline: old logger"):  # the SDK's own logger of pipelines cannot log
        assert run.job(case).job.result == "failure"
        assert run.job(case).exceptions == [run.raw(case)["raised"]["type"].removeprefix("builtins.")]


@pytest.mark.parametrize("version", VERSIONS)
def test_an_action_that_ends_the_process(runs, version):
    run = runs(version, "variables")
    assert run.job("entrypoint: exits").job.result == "failure"
    assert run.job("entrypoint: ends at once").job.is_open  # for the shipper to close
    killed = run.job("entrypoint: killed")
    assert killed.job.is_open
    assert killed.events == ["tick"] * 20
    assert killed.progress("endless") == (1, 10)


@pytest.mark.parametrize("mode", ["local", "direct"])
@pytest.mark.parametrize("version", VERSIONS)
def test_the_plugins_own_requests_join_the_trace_and_the_sdks_make_no_spans(runs, version, mode):
    run = runs(version, "variables")
    found = run.job(f"{mode}: calls")
    assert [span.name for span in found.job.children] == ["GET", "POST"]
    ours = {"synapse_otel"}
    others = [span for span in run.spans if span.scope not in ours]
    assert {span.parent_id for span in others} <= {
        run.job(case).job.span_id for case in ("local: calls", "direct: calls", "direct: refused", "local: serve")
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_what_the_platform_lost_is_counted_where_the_sdk_counts_it(runs, version):
    found = runs(version, "variables").job("direct: 500")
    lost = {
        series.attributes["synapse.platform.loss.reason"]: sum(series.values)
        for series in found.recording.series
        if series.name == "synapse.platform.log.lost"
    }
    assert set(lost) == ({"dropped", "unsent", "delivery_unconfirmed"} if version == "2026.2.17" else set())
