"""A case that is run twice does the same twice, on Ray: in actors (TASK) and in jobs (JOB), on a bare cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.synapse_sdk.cases import ON_RAY, VERSIONS
from tests.synapse_sdk.fake_platform import FakePlatform
from tests.synapse_sdk.running import Run, Sdk, ray_head
from tests.synapse_sdk.test_unchanged import HOWS

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
            sdk = Sdk(version, "bare" if how == "first" else how, tmp_path_factory.mktemp(f"{how}-{version}"))
            return Run(sdk, platform, ray).run(ON_RAY)

        yield run


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("case", [case.name for case in ON_RAY])
def test_the_sdk_behaves_exactly_as_without(runs, case, how):
    assert runs(how).outcome(case) == runs("first").outcome(case)


def test_a_job_on_ray_gets_to_the_end_of_its_progress(runs):
    sent = runs("first").outcome("job: train")["requests"]
    assert sent["statuses"][-1]["status"] == "SUCCEEDED"
    assert sent["last"]["progress_record"]["current_progress"]["overall"] == 100.0
