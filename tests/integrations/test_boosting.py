"""The real LightGBM and XGBoost: rounds, several data sets, cross-validation, early stopping, resumed training."""

from __future__ import annotations

import pytest

from tests.integrations.reported import reported

pytestmark = pytest.mark.once

DATA = """
import numpy as np
from synapse_otel.loggers import NoOpLogger
from synapse_otel.plugins.context import RuntimeContext

random = np.random.default_rng(1)
x = random.random((80, 3))
y = (x.sum(axis=1) > 1.5).astype(int)
flat = np.zeros(40)

class Failing:
    def set_progress(self, *args): raise OSError("no space left")
    def set_metrics(self, *args): raise OSError("no space left")

found = {}
"""

LIGHTGBM = (
    DATA
    + """
import lightgbm
from synapse_otel.integrations.lightgbm import SynapseCallback

params = {"objective": "binary", "metric": ["auc", "binary_logloss"], "verbose": -1, "num_threads": 1, "min_data": 1}
data = lightgbm.Dataset(x[:40], y[:40], free_raw_data=False)
other, third = (lightgbm.Dataset(x[at:at + 20], y[at:at + 20], data, free_raw_data=False) for at in (40, 60))

with recorded_job() as job:
    history = {}
    model = lightgbm.train(params, data, 3, valid_sets=[data, other, third], valid_names=["x", "validation", "late"],
                           callbacks=[lightgbm.record_evaluation(history), SynapseCallback(job.ctx)])
    found["whole"], found["history"] = told(job), history
with recorded_job() as job:
    lightgbm.train(params, data, 2, init_model=model, callbacks=[SynapseCallback(job.ctx)])
    found["resumed"] = told(job)
with recorded_job() as job:
    lightgbm.train(params, data, 50, valid_sets=[other], valid_names=["validation"],
                   callbacks=[lightgbm.early_stopping(2, min_delta=100, verbose=False), SynapseCallback(job.ctx)])
    found["early"] = told(job)
with recorded_job() as job:
    lightgbm.cv(params, data, 2, nfold=2, callbacks=[SynapseCallback(job.ctx)])
    found["folds"] = told(job)
with recorded_job() as job:
    lightgbm.LGBMClassifier(n_estimators=2, verbose=-1, n_jobs=1).fit(
        x[:40], y[:40], eval_set=[(x[40:], y[40:])], callbacks=[SynapseCallback(job.ctx, category="boosting")])
    found["estimator"] = told(job)

def broken(env):
    if env.iteration == 2:
        raise RuntimeError("no more")
broken.before_iteration = True

with recorded_job() as job:
    try:
        lightgbm.train(params, data, 9, callbacks=[broken, SynapseCallback(job.ctx)])
    except RuntimeError as error:
        found["raised"] = str(error)
    found["broken"] = told(job)
with recorded_job() as job:
    nan = lambda predicted, data: ("wrong", float("nan"), False)
    lightgbm.train(params, data, 2, valid_sets=[data], feval=nan, callbacks=[SynapseCallback(job.ctx)])
    found["nan"] = told(job)
without = lightgbm.train(params, data, 2, callbacks=[SynapseCallback(RuntimeContext(NoOpLogger()))])
failing = lightgbm.train(params, data, 2, valid_sets=[data], callbacks=[SynapseCallback(Failing())])
found["trees"] = [without.num_trees(), failing.num_trees()]
print(json.dumps(found))
"""
)

XGBOOST = (
    DATA
    + """
import xgboost
from synapse_otel.integrations.xgboost import SynapseCallback

params = {"objective": "binary:logistic", "eval_metric": ["auc", "logloss"], "nthread": 1, "verbosity": 0}
data, other = xgboost.DMatrix(x[:40], y[:40]), xgboost.DMatrix(x[40:], y[40:])
evals = {"evals": [(data, "train"), (other, "validation")], "verbose_eval": False}

with recorded_job() as job:
    history = {}
    callbacks = [SynapseCallback(job.ctx, rounds=3)]
    model = xgboost.train(params, data, 3, evals_result=history, callbacks=callbacks, **evals)
    found["whole"], found["history"] = told(job), history
with recorded_job() as job:
    xgboost.train(params, data, 2, xgb_model=model, callbacks=[SynapseCallback(job.ctx, 2)])
    found["resumed"] = told(job)
with recorded_job() as job:
    stop = xgboost.callback.EarlyStopping(2, min_delta=100)
    xgboost.train(params, data, 50, callbacks=[SynapseCallback(job.ctx, 50), stop], **evals)
    found["early"] = told(job)
with recorded_job() as job:
    xgboost.cv(params, data, 2, nfold=2, callbacks=[SynapseCallback(job.ctx, 2)])
    found["folds"] = told(job)
with recorded_job() as job:
    xgboost.XGBClassifier(n_estimators=2, n_jobs=1, callbacks=[SynapseCallback(job.ctx)]).fit(
        x[:40], y[:40], eval_set=[(x[40:], y[40:])], verbose=False)
    found["estimator"] = told(job)

class Broken(xgboost.callback.TrainingCallback):
    def before_iteration(self, model, epoch, evals_log):
        if epoch == 2:
            raise RuntimeError("no more")
        return False

with recorded_job() as job:
    try:
        xgboost.train(params, data, 9, callbacks=[Broken(), SynapseCallback(job.ctx, 9)])
    except RuntimeError as error:
        found["raised"] = str(error)
    found["broken"] = told(job)
with recorded_job() as job:
    nan = lambda predicted, data: ("wrong", float("nan"))
    xgboost.train(params, data, 2, custom_metric=nan, callbacks=[SynapseCallback(job.ctx, 2)], **evals)
    found["nan"] = told(job)
without = xgboost.train(params, data, 2, callbacks=[SynapseCallback(RuntimeContext(NoOpLogger()), 2)])
failing = xgboost.train(params, data, 2, callbacks=[SynapseCallback(Failing(), 2)], **evals)
found["trees"] = [without.num_boosted_rounds(), failing.num_boosted_rounds()]
print(json.dumps(found))
"""
)


@pytest.fixture(scope="module", params=["lightgbm", "xgboost"])
def ran(request, tmp_path_factory):
    script = LIGHTGBM if request.param == "lightgbm" else XGBOOST
    return request.param, reported(script, tmp_path_factory.mktemp(request.param))


def test_rounds_and_every_data_set(ran):
    _name, found = ran
    whole, history = found.told["whole"], found.told["history"]
    assert whole["progress"] == {"training": [3, 3]}
    assert whole["samples"] == history
    assert "validation" in history


def test_a_resumed_training_counts_its_own_rounds(ran):
    assert ran[1].told["resumed"]["progress"] == {"training": [2, 2]}


def test_early_stopping(ran):
    name, found = ran
    early = found.told["early"]
    assert early["progress"] == {"training": [3, 50] if name == "lightgbm" else [3, 3]}
    assert len(early["samples"]["validation"]["auc"]) == 3, "the round that it stopped at, too"


def test_cross_validation(ran):
    name, found = ran
    folds = found.told["folds"]
    assert folds["progress"] == {"training": [2, 2]}
    held_out = folds["samples"]["valid" if name == "lightgbm" else "test"]
    assert {"auc", "auc.stdv"} <= set(held_out)
    assert len(held_out["auc"]) == 2


def test_the_estimators_as_scikit_learn_has_them(ran):
    name, found = ran
    of_set, progress = ("valid_0", {"boosting": [2, 2]}) if name == "lightgbm" else ("validation_0", {})
    assert found.told["estimator"]["progress"] == progress
    [values] = found.told["estimator"]["samples"][of_set].values()
    assert len(values) == 2


def test_an_exception_leaves_the_progress_where_it_was(ran):
    assert ran[1].told["raised"] == "no more"
    assert ran[1].told["broken"]["progress"] == {"training": [2, 9]}


def test_what_is_no_number_is_an_event(ran):
    nan = ran[1].told["nan"]
    bodies = {body for name, _severity, body in nan["events"] if name == "synapse.metric.nonfinite"}
    assert bodies == {"not finite: wrong is nan"}
    assert nan["progress"] == {"training": [2, 2]}


def test_nothing_of_it_stops_the_training(ran):
    assert ran[1].told["trees"] == [2, 2]
    assert ran[1].errors.count("synapse-otel: a callback could not report") == 1
