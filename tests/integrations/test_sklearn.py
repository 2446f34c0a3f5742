"""The real scikit-learn: iterations of an estimator, a pipeline, searches in one and in several processes."""

from __future__ import annotations

import pytest

from tests.integrations.reported import reported

pytestmark = pytest.mark.once

SCRIPT = """
import os, warnings
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from synapse_otel.integrations.loop import track
from synapse_otel.integrations.sklearn import SynapseCallback, SynapseScoring
from synapse_otel.loggers import NoOpLogger
from synapse_otel.plugins.context import RuntimeContext

warnings.simplefilter("ignore", ConvergenceWarning)
random = np.random.default_rng(1)
x = random.random((60, 3))
y = (x.sum(axis=1) > 1.5).astype(int)

class Failing:
    def set_progress(self, *args): raise OSError("no space left")
    def set_metrics(self, *args): raise OSError("no space left")

found = {}
with recorded_job() as job:
    LogisticRegression(max_iter=2).set_callbacks(SynapseScoring(job.ctx, "accuracy")).fit(x, y)
    found["scored"] = told(job)
with recorded_job() as job:
    LogisticRegression(max_iter=50, tol=1e3).set_callbacks(SynapseCallback(job.ctx)).fit(x, y)
    found["early"] = told(job)
with recorded_job() as job:
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2))
    pipeline.set_callbacks(SynapseCallback(job.ctx, "fitting")).fit(x, y)
    found["pipeline"] = told(job)
with recorded_job() as job:
    search = GridSearchCV(LogisticRegression(max_iter=2), {"C": [0.1, 1.0]}, cv=2)
    search.set_callbacks(SynapseCallback(job.ctx)).fit(x, y)
    found["search"], found["best"] = told(job), search.best_score_
with recorded_job() as job:
    search = GridSearchCV(LogisticRegression(max_iter=2), {"C": [0.1, 1.0, 10.0]}, cv=2, n_jobs=2)
    search.set_callbacks(SynapseCallback(job.ctx, max_propagation_depth=0)).fit(x, y)
    found["best of many"] = told(job)["samples"], search.best_score_
with recorded_job() as job:
    for batch in track(job.ctx, range(4), "partial_fit"):
        if batch == 3:
            break
    found["track"] = told(job)
failing = LogisticRegression(max_iter=2).set_callbacks(SynapseCallback(Failing())).fit(x, y)
without = LogisticRegression(max_iter=2).set_callbacks(SynapseCallback(RuntimeContext(NoOpLogger()))).fit(x, y)
found["fitted"] = [int(model.n_iter_[0]) for model in (failing, without)]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    return reported(SCRIPT, tmp_path_factory.mktemp("sklearn"))


def test_iterations_and_their_score(ran):
    scored = ran.told["scored"]
    assert scored["progress"] == {"training": [3, 3]}
    [accuracy] = scored["samples"]["training"].values()
    assert len(accuracy) >= 2


def test_one_that_converges_early_is_complete(ran):
    assert ran.told["early"]["progress"] == {"training": [1, 1]}


def test_a_pipeline_and_what_is_in_it(ran):
    assert ran.told["pipeline"]["progress"] == {"fitting": [2, 2], "fitting.LogisticRegression": [3, 3]}


def test_a_search(ran):
    search = ran.told["search"]
    assert search["progress"]["training"] == [2, 2], "the search, and the fit of the best"
    assert search["progress"]["training.search"] == [4, 4]
    assert search["progress"]["training.search.LogisticRegression"] == [3, 3]
    assert search["samples"] == {"validation": {"best_score": [ran.told["best"]]}}


def test_a_search_in_several_processes(ran):
    samples, best = ran.told["best of many"]
    assert samples == {"validation": {"best_score": [best]}}


def test_a_loop_of_ones_own(ran):
    assert ran.told["track"]["progress"] == {"partial_fit": [3, 4]}


def test_nothing_of_it_stops_the_training(ran):
    assert ran.told["fitted"] == [2, 2]
    assert ran.errors.count("synapse-otel: a callback could not report") == 1
