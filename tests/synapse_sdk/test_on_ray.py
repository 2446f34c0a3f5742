"""The SDK instrumented on Ray, in actors (TASK) and in jobs (JOB) of a bare cluster: unchanged, and recorded."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.synapse_sdk.cases import ON_RAY, VERSIONS, Case
from tests.synapse_sdk.fake_platform import FakePlatform
from tests.synapse_sdk.running import Run, Sdk, ray_head

pytestmark = [pytest.mark.once, pytest.mark.timeout(900)]  # the first test of a release runs all of its cases

NEWEST = VERSIONS[-1]
MAIN = {"task: train", "task: train raises", "job: train"}
Runs = Callable[[str], dict[str, Run]]


def cases_of(version: str) -> list[Case]:
    """Return what is run of a release: of older ones the main cases, as each takes seconds on Ray."""
    return [case for case in ON_RAY if version == NEWEST or case.name in MAIN]


every_version = pytest.mark.parametrize("version", VERSIONS)


@pytest.fixture(scope="module")
def runs(platform: FakePlatform, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """All cases of a release on one cluster, bare and instrumented, run once for all tests."""

    @cache
    def both(version: str) -> dict[str, Run]:
        with (
            TemporaryDirectory(prefix="ray-") as short,  # names of sockets are short
            ray_head(version, Path(short)) as ray,
        ):
            return {
                how: Run(Sdk(version, how, tmp_path_factory.mktemp(f"{how}-{version}")), platform, ray).run(
                    cases_of(version)
                )
                for how in ("bare", "variables")
            }

    return both


@pytest.mark.parametrize(
    ("version", "case"), [(version, case.name) for version in VERSIONS for case in cases_of(version)]
)
def test_the_sdk_behaves_exactly_as_without(runs, version, case):
    assert runs(version)["variables"].outcome(case) == runs(version)["bare"].outcome(case)


@every_version
def test_a_job_on_ray_gets_to_the_end_of_its_progress(runs, version):
    sent = runs(version)["variables"].outcome("job: train")["requests"]
    assert sent["statuses"][-1]["status"] == "SUCCEEDED"
    assert sent["last"]["progress_record"]["current_progress"]["overall"] == 100.0


@pytest.mark.parametrize(
    ("version", "case"),
    [(version, f"{mode}: train") for version in VERSIONS for mode in ("task", "job")] + [(NEWEST, "task: submitted")],
)
def test_a_training_is_one_tree_across_driver_and_worker(runs, version, case):
    run = runs(version)["variables"]
    found = run.job(case)
    assert (found.job.name, found.job.result) == ("train sample-plugin", "success")
    assert found.steps == [("prepare", "success"), ("learn", "success"), ("save", "success")]
    assert found.samples("learn", "loss") == [1, 1 / 2, 1 / 3]
    assert found.progress() == (100, 100)
    submit = next(span for span in run.spans if span.span_id == found.job.parent_id)
    assert (submit.name, submit.trace_id) == ("submit train sample-plugin", found.job.trace_id)
    assert submit.start <= found.job.start


@every_version
def test_a_failure_in_a_worker(runs, version):
    found = runs(version)["variables"].job("task: train raises")
    assert found.job.result == "failure"
    assert found.steps[1] == ("learn", "failure")
    assert "sample_plugin.training.NoSpaceLeftError" in found.exceptions


def test_a_failure_in_a_job_of_rays(runs):
    found = runs(NEWEST)["variables"].job("job: train raises")
    assert (found.job.result, found.steps[1]) == ("failure", ("learn", "failure"))


def test_each_call_of_an_actor_is_in_a_trace_of_its_own(runs):
    run = runs(NEWEST)["variables"]
    jobs = [one.job for one in run.jobs("task: one actor twice")]
    assert [job.result for job in jobs] == ["success", "success"]
    submits = {span.span_id for span in run.spans if span.name == "submit plain sample-plugin"}
    assert len({job.trace_id for job in jobs}) == 2
    assert {job.parent_id for job in jobs} <= submits


def test_a_search_is_one_tree_with_its_trials(runs):
    run = runs(NEWEST)["variables"]
    search, *trials = run.jobs("search")
    assert run.outcome("search")["returned"]["value"]["best_result"] == {"rate": 0.25}
    assert [name for name, _result in search.steps] == ["dataset", "trials", "model_upload"]
    step = next(span for span in search.job.children if span.name == "trials")
    assert [(one.job.trace_id, one.job.parent_id) for one in trials] == [(step.trace_id, step.span_id)] * 2
    rates = [one.job.attributes["synapse.params.rate"] for one in trials]
    assert sorted(rates) == [0.25, 0.5]
    assert [one.samples("validation", "loss") for one in trials] == [[rate, rate / 2] for rate in rates]
    assert [one.events for one in trials] == [["epoch_done"] * 2] * 2
    assert [one.progress() for one in trials] == [None, None], "as the SDK has it: only the search tells how far it is"


def test_an_actor_that_is_killed_loses_nothing_that_it_told(runs):
    found = runs(NEWEST)["variables"].job("task: killed")
    assert found.job.is_open  # for the shipper to close
    assert found.events == ["tick"] * 20
    assert found.progress("endless") == (1, 10)
