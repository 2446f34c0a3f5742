"""The SDK instrumented on Ray, in actors (TASK) and in jobs (JOB) of a bare cluster: unchanged, and recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.synapse_sdk.cases import ON_RAY, VERSIONS
from tests.synapse_sdk.fake_platform import FakePlatform
from tests.synapse_sdk.running import Run, Sdk, ray_head

pytestmark = pytest.mark.once

Runs = Callable[[str], Run]


@pytest.fixture(scope="module", params=VERSIONS)
def runs(request: pytest.FixtureRequest, platform: FakePlatform, tmp_path_factory) -> Iterator[Runs]:
    """All cases on one cluster of a release, run in one way, once for all tests."""
    version = request.param
    with (
        TemporaryDirectory(prefix="ray-") as short,
        ray_head(version, Path(short)) as ray,
    ):  # names of sockets are short

        @cache
        def run(how: str) -> Run:
            sdk = Sdk(version, how, tmp_path_factory.mktemp(f"{how}-{version}"))
            return Run(sdk, platform, ray).run(ON_RAY)

        yield run


@pytest.mark.parametrize("case", [case.name for case in ON_RAY])
def test_the_sdk_behaves_exactly_as_without(runs, case):
    assert runs("variables").outcome(case) == runs("bare").outcome(case)


def test_a_job_on_ray_gets_to_the_end_of_its_progress(runs):
    sent = runs("variables").outcome("job: train")["requests"]
    assert sent["statuses"][-1]["status"] == "SUCCEEDED"
    assert sent["last"]["progress_record"]["current_progress"]["overall"] == 100.0


@pytest.mark.parametrize("mode", ["task", "job"])
def test_a_training_is_one_tree_across_driver_and_worker(runs, mode):
    run = runs("variables")
    found = run.job(f"{mode}: train")
    assert (found.job.name, found.job.result) == ("train sample-plugin", "success")
    assert found.steps == [("prepare", "success"), ("learn", "success"), ("save", "success")]
    assert found.samples("learn", "loss") == [1, 1 / 2, 1 / 3]
    assert found.progress() == (100, 100)
    submit = next(span for span in run.spans if span.span_id == found.job.parent_id)
    assert (submit.name, submit.trace_id) == ("submit train sample-plugin", found.job.trace_id)
    assert submit.start <= found.job.start


@pytest.mark.parametrize("mode", ["task", "job"])
def test_a_failure_in_a_worker(runs, mode):
    found = runs("variables").job(f"{mode}: train raises")
    assert found.job.result == "failure"
    assert found.steps[1] == ("learn", "failure")
    assert "sample_plugin.training.NoSpaceLeftError" in found.exceptions


def test_each_call_of_an_actor_is_in_a_trace_of_its_own(runs):
    run = runs("variables")
    jobs = [one.job for one in run.jobs("task: one actor twice")]
    assert [job.result for job in jobs] == ["success", "success"]
    submits = {span.span_id for span in run.spans if span.name == "submit plain sample-plugin"}
    assert len({job.trace_id for job in jobs}) == 2
    assert {job.parent_id for job in jobs} <= submits


def test_an_actor_that_is_killed_loses_nothing_that_it_told(runs):
    found = runs("variables").job("task: killed")
    assert found.job.is_open  # for the shipper to close
    assert found.events == ["tick"] * 20
    assert found.progress("endless") == (1, 10)
