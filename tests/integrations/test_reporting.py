"""What all callbacks have in common: wrong arguments, steps, a library that is not there, loops of one's own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from synapse_otel.integrations.loop import track
from synapse_otel.integrations.reporting import Reporting
from synapse_otel.plugins.actions.train import TrainContext
from synapse_otel.plugins.steps import BaseStep, Orchestrator, StepRegistry, StepResult

SOURCE = Path(__file__).parents[2] / "src"
LIBRARIES = {
    "keras": "Keras",
    "lightgbm": "LightGBM",
    "lightning": "PyTorch Lightning",
    "sklearn": "scikit-learn 1.9 or newer, which has callbacks,",
    "transformers": "transformers",
    "xgboost": "XGBoost",
}


@pytest.mark.parametrize("module", LIBRARIES)
def test_without_its_library_it_says_what_to_install(module):
    script = f"""
import sys
sys.modules.update(dict.fromkeys([{module!r}, "pytorch_lightning"]))  # None: an import of it fails
import synapse_otel.integrations.{module}
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], env={"PYTHONPATH": str(SOURCE)}, capture_output=True, text=True, check=False
    )
    said = ended.stderr.splitlines()[-1]
    assert said.startswith(f"ImportError: {LIBRARIES[module]} cannot be imported (")
    assert said.endswith(f"); pip install 'synapse-otel[{module}]' installs it")


def test_where_the_library_lacks_another_one_it_says_that_alone():
    script = "import synapse_otel.integrations.keras"
    variables = {"PYTHONPATH": str(SOURCE), "KERAS_BACKEND": "tensorflow"}
    ended = subprocess.run([sys.executable, "-c", script], env=variables, capture_output=True, text=True, check=False)
    said = ended.stderr.splitlines()[-1]
    assert said == "ImportError: Keras cannot be imported (No module named 'tensorflow')"


def test_every_extra_exists():
    text = (SOURCE.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert [name for name in LIBRARIES if f"\n{name} = [" not in text] == []


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((3, "training"), "context must be a RuntimeContext or the context of a step, not 3"),
        ((None, "training"), "context must be a RuntimeContext or the context of a step, not None"),
        (("ctx", ""), "category must not be empty, got ''"),
        (("ctx", 3), "category must be text, not 3"),
    ],
)
def test_a_wrong_argument_raises(synapse_job, arguments, error):
    context, category = arguments
    with pytest.raises((TypeError, ValueError)) as raised:
        Reporting(synapse_job.ctx if context == "ctx" else context, category)
    assert str(raised.value) == error


def test_a_failure_is_raised_under_tests_only(synapse_job):
    with pytest.raises(ValueError, match="current must be from 0"), Reporting(synapse_job.ctx, "a") as reporting:
        reporting.progress(-1, 3)


def test_more_than_was_planned_is_the_end(synapse_job):
    Reporting(synapse_job.ctx, "training").progress(12, 10)
    assert synapse_job.progress["training"].current == 10


def test_what_has_not_begun_is_not_finished(synapse_job):
    Reporting(synapse_job.ctx, "training").finish()
    assert synapse_job.progress == {}


def test_in_a_step_the_progress_may_be_its_own(synapse_job):
    class Train(BaseStep[TrainContext]):
        name = "train"
        progress_weight = 1.0

        def execute(self, context: TrainContext) -> StepResult:
            with Reporting(context, None) as reporting:
                reporting.progress(3, 4)
                reporting.metrics({"loss": 0.5})
                reporting.metrics({"loss": 0.25}, "validation")
            assert list(track(context, "ab", category="letters")) == ["a", "b"]
            return StepResult()

    registry = StepRegistry()
    registry.register(Train())
    Orchestrator(registry, TrainContext(synapse_job.ctx, params={})).execute()
    assert synapse_job.progress["letters"].current == 2
    assert synapse_job.samples("loss", "train") == [0.5]
    assert synapse_job.samples("loss", "validation") == [0.25]
    assert (synapse_job.progress["train"].current, synapse_job.progress["train"].limit) == (3, 4)


# --- loops ------------------------------------------------------------------------------------------------


def test_a_loop_that_is_resumed(synapse_job):
    assert list(track(synapse_job.ctx, range(3, 5), first=3)) == [3, 4]
    assert (synapse_job.progress["training"].current, synapse_job.progress["training"].limit) == (5, 5)


def test_a_loop_whose_end_is_not_known(synapse_job):
    assert list(track(synapse_job.ctx, iter("abc"))) == ["a", "b", "c"]
    assert synapse_job.progress == {}
    assert list(track(synapse_job.ctx, iter("abc"), total=3)) == ["a", "b", "c"]
    assert synapse_job.progress["training"].current == 3


def test_a_loop_that_raises(synapse_job):
    def loop():
        for number in track(synapse_job.ctx, range(5)):
            if number == 2:
                raise RuntimeError

    with pytest.raises(RuntimeError):
        loop()
    assert synapse_job.progress["training"].current == 2


@pytest.mark.parametrize("options", [{"total": -1}, {"total": 2.5}, {"first": "1"}])
def test_a_wrong_number_raises_at_once(synapse_job, options):
    [(name, number)] = options.items()
    with pytest.raises(ValueError, match=f"{name} must be a whole number from 0 on, got {number!r}"):
        track(synapse_job.ctx, [], **options)
