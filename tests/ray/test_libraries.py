"""A context in the workers of Ray Tune, Ray Data and Ray Train themselves, as docs/ray.md hands it to them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.synapse_sdk.cases import VERSIONS
from tests.synapse_sdk.recorded import Recorded, recorded_jobs
from tests.synapse_sdk.running import Sdk, need_environments

pytestmark = pytest.mark.once

LIBRARIES = Path(__file__).with_name("libraries.py")
Jobs = Callable[[str], Recorded]


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Jobs:
    """Gives a job by its id. The newest SDK's environment has all of Ray; the SDK itself is not used."""
    need_environments()
    folder = tmp_path_factory.mktemp("libraries")
    journals = folder / "journals"
    variables = {"SYNAPSE_OTEL_JOURNAL_DIR": str(journals), "SYNAPSE_OTEL_SHIPPER": "off", "PYTHONWARNINGS": "ignore"}
    command = Sdk(VERSIONS[-1], "bare", folder).command(
        str(LIBRARIES), str(folder / "results"), folder=folder, **variables
    )
    ended = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert ended.returncode == 0, ended.stderr[-5000:]

    def found(job_id: str) -> Recorded:
        (one,) = recorded_jobs(journals, job_id)
        return one

    return found


def workers(job: Recorded) -> list[str]:
    return sorted(span.name for span in job.job.children if span.name.startswith("worker "))


def test_the_trials_of_a_search(job: Jobs):
    found = job("tune")
    assert workers(found) == ["worker search libraries"] * 2
    for rate in (0.5, 0.25):
        assert found.samples(f"rate {rate}", "loss") == [rate, rate / 2]
    assert found.progress("trial") == (4, 4)


def test_the_operators_of_a_data_set(job: Jobs):
    found = job("data")
    batches = [log.attributes["synapse.data.rows"] for log in found.recording.logs if log.event_name == "batch"]
    assert sum(batches) == 100
    (total,) = [log.attributes["synapse.data.of"] for log in found.recording.logs if log.event_name == "sum"]
    assert total == 2 * sum(range(100))
    assert set(workers(found)) == {"worker prepare libraries: MapWorker(MapBatches(Double))"}


def test_the_ranks_of_a_training(job: Jobs):
    found = job("train")
    assert workers(found) == ["worker train libraries: _Inner"], "Ray's own actor, which hands the context on"
    (handing_on,) = found.job.children
    assert [span.name for span in handing_on.children] == ["worker train libraries: RayTrainWorker"] * 2
    for rank in (0, 1):
        assert found.samples(f"rank {rank}", "loss") == [1, 0.5]
    assert found.progress("epochs") == (4, 4)
