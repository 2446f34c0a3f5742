"""The programs in `examples/callbacks/` run as they are, and what they report is in the journal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from synapse_otel.journal.folder import run_folders
from synapse_otel.runs import Recording
from tests.wheels import needs

pytestmark = pytest.mark.once

TREE = Path(__file__).parents[2]
EXAMPLES = {
    "digits_boosting.py": ({"", "lightgbm", "xgboost"}, ("validation", "logloss")),
    "digits_keras.py": ({"training"}, ("validation", "loss")),
    "digits_search.py": (
        {"training", "training.search", "training.search.Pipeline", "training.Pipeline"},
        ("validation", "best_score"),
    ),
}
"""By program: the categories of its progress, and a metric."""


def test_every_example_is_run():
    assert sorted(path.name for path in (TREE / "examples" / "callbacks").glob("*.py")) == sorted(EXAMPLES)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=needs("keras") if "keras" in name else ()) for name in EXAMPLES]
)
def test_example(name, tmp_path):
    variables = {
        "PYTHONPATH": str(TREE / "src"),
        "SYNAPSE_OTEL_JOURNAL_DIR": str(tmp_path),
        "SYNAPSE_OTEL_SHIPPER": "off",
    }
    command = [sys.executable, TREE / "examples" / "callbacks" / name]
    subprocess.run(command, env={**os.environ, **variables}, cwd=tmp_path, check=True, capture_output=True)
    [folder] = run_folders(tmp_path)
    recording = Recording.read(folder)
    categories, metric = EXAMPLES[name]
    assert {one.category for one in recording.progress} == categories
    assert all(one.progress.current > 0 for one in recording.progress)
    assert metric in recording.curves
    assert recording.job is not None
    assert recording.job.result == "success"
