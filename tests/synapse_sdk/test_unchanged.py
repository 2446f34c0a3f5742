"""A case that is run twice does the same twice: without Ray, in one process and in processes of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache

import pytest

from tests.synapse_sdk.cases import IN_PROCESS, PROCESSES, VERSIONS
from tests.synapse_sdk.fake_platform import FakePlatform
from tests.synapse_sdk.running import Run, Sdk

pytestmark = pytest.mark.once

HOWS = ("variables", "run")
CASES = [case.name for case in (*IN_PROCESS, *PROCESSES)]
Runs = Callable[[str, str], Run]


@pytest.fixture(scope="module")
def runs(platform: FakePlatform, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """All cases of a release, run in one way, once for all tests; `first` is the bare run others are held against."""

    @cache
    def run(version: str, how: str) -> Run:
        sdk = Sdk(version, "bare" if how == "first" else how, tmp_path_factory.mktemp(f"{how}-{version}"))
        return Run(sdk, platform).run((*IN_PROCESS, *PROCESSES))

    return run


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", CASES)
def test_the_sdk_behaves_exactly_as_without(runs, case, version, how):
    assert runs(version, how).outcome(case) == runs(version, "first").outcome(case)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_platform_sees_all_of_the_progress(runs, version):
    sent = [
        json.loads(one["body"])
        for one in runs(version, "first").raw("direct: train")["requests"]
        if "progress" in one["body"]
    ]
    steps = sent[-1]["progress_record"]["record"]["steps"]
    assert {name: step["proportion"] for name, step in steps.items()} == {"prepare": 20, "learn": 70, "save": 10}
    assert sent[-1]["progress_record"]["current_progress"]["overall"] == 100.0
