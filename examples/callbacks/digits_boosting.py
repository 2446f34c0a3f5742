"""LightGBM and XGBoost, each a step with a progress of its own. `python examples/callbacks/digits_boosting.py`."""

from __future__ import annotations

import lightgbm
import xgboost
from sklearn.datasets import load_digits

import synapse_otel
from synapse_otel.integrations import lightgbm as for_lightgbm
from synapse_otel.integrations import xgboost as for_xgboost
from synapse_otel.plugins.actions.train import TrainContext
from synapse_otel.plugins.steps import BaseStep, Orchestrator, StepRegistry, StepResult

ROUNDS = 10
X, Y = load_digits(n_class=2, return_X_y=True)
TRAINING, HELD_OUT = slice(0, 250), slice(250, None)


class LightGbm(BaseStep[TrainContext]):
    """Trains with LightGBM, until nothing becomes better."""

    name = "lightgbm"
    progress_weight = 0.5

    def execute(self, context: TrainContext) -> StepResult:
        """Train."""
        data = lightgbm.Dataset(X[TRAINING], Y[TRAINING])
        held_out = lightgbm.Dataset(X[HELD_OUT], Y[HELD_OUT], data)
        report = for_lightgbm.SynapseCallback(context, category=None)  # the step's own progress
        stop = lightgbm.early_stopping(3, verbose=False)
        parameters = {"objective": "binary", "verbose": -1}
        lightgbm.train(parameters, data, ROUNDS, [held_out], ["validation"], callbacks=[report, stop])
        return StepResult()


class XgBoost(BaseStep[TrainContext]):
    """Trains with XGBoost."""

    name = "xgboost"
    progress_weight = 0.5

    def execute(self, context: TrainContext) -> StepResult:
        """Train."""
        data = xgboost.DMatrix(X[TRAINING], Y[TRAINING])
        evals = [(xgboost.DMatrix(X[HELD_OUT], Y[HELD_OUT]), "validation")]
        report = for_xgboost.SynapseCallback(context, ROUNDS, category=None)
        parameters = {"objective": "binary:logistic"}
        xgboost.train(parameters, data, ROUNDS, evals=evals, verbose_eval=False, callbacks=[report])
        return StepResult()


def main() -> None:
    """Run both steps in a job."""
    registry = StepRegistry()
    registry.register(LightGbm())
    registry.register(XgBoost())
    with synapse_otel.job("train", plugin="digits-boosting") as ctx:
        Orchestrator(registry, TrainContext(ctx, params={"rounds": ROUNDS})).execute()


if __name__ == "__main__":
    main()
