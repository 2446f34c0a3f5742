"""The real Keras, with JAX: epochs, validation, early stopping, resumed training, and what goes wrong."""

from __future__ import annotations

import pytest

from tests.integrations.reported import reported
from tests.wheels import needs

pytestmark = [pytest.mark.once, needs("keras")]

SCRIPT = """
import keras
import numpy as np

from synapse_otel.integrations.keras import SynapseCallback
from synapse_otel.loggers import NoOpLogger
from synapse_otel.plugins.context import RuntimeContext

keras.utils.set_random_seed(1)
x, y = np.random.rand(16, 3), np.random.rand(16, 1)

def model(loss="mse"):
    made = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    made.compile("sgd", loss, metrics=["mae"], run_eagerly=True)  # compiling takes seconds
    return made

def fit(context, **options):
    told = options.pop("model", None) or model()
    return told.fit(x, y, verbose=0, batch_size=8, callbacks=[*options.pop("others", ()), SynapseCallback(context)],
                    **options)

found = {}
with recorded_job() as job:
    history = fit(job.ctx, epochs=3, validation_split=0.25)
    found["whole"] = told(job)
    found["history"] = history.history
with recorded_job() as job:
    fit(job.ctx, epochs=5, initial_epoch=3)
    found["resumed"] = told(job)
with recorded_job() as job:
    fit(job.ctx, epochs=50, others=[keras.callbacks.EarlyStopping("loss", min_delta=100, patience=2)])
    found["early"] = told(job)

class Broken(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise RuntimeError("no more")

with recorded_job() as job:
    try:
        fit(job.ctx, epochs=4, others=[Broken()])
    except RuntimeError as error:
        found["raised"] = str(error)
    found["broken"] = told(job)

bad = model(lambda y, p: keras.ops.sum(p) * np.nan)
with recorded_job() as job:
    fit(job.ctx, epochs=2, model=bad)
    found["nan"] = told(job)

found["without a job"] = len(fit(RuntimeContext(NoOpLogger()), epochs=2).epoch)

class Failing:
    def set_progress(self, *args): raise OSError("no space left")
    def set_metrics(self, *args): raise OSError("no space left")

found["failing"] = len(fit(Failing(), epochs=3).epoch)
print(json.dumps(found, default=float))
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    return reported(SCRIPT, tmp_path_factory.mktemp("keras"), KERAS_BACKEND="jax")


def test_epochs_and_logs(ran):
    whole, history = ran.told["whole"], ran.told["history"]
    assert whole["progress"] == {"training": [3, 3]}
    assert whole["samples"] == {
        "training": {"loss": pytest.approx(history["loss"]), "mae": pytest.approx(history["mae"])},
        "validation": {"loss": pytest.approx(history["val_loss"]), "mae": pytest.approx(history["val_mae"])},
    }


def test_a_resumed_training_goes_on_where_it_was(ran):
    assert ran.told["resumed"]["progress"] == {"training": [5, 5]}
    assert len(ran.told["resumed"]["samples"]["training"]["loss"]) == 2


def test_early_stopping_is_an_end(ran):
    assert ran.told["early"]["progress"] == {"training": [3, 3]}


def test_an_exception_leaves_the_progress_where_it_was(ran):
    assert ran.told["raised"] == "no more"
    assert ran.told["broken"]["progress"] == {"training": [2, 4]}


def test_a_loss_that_is_no_number_is_an_event(ran):
    nan = ran.told["nan"]
    assert nan["progress"] == {"training": [2, 2]}
    assert nan["samples"] == {}
    bodies = [body for name, _severity, body in nan["events"] if name == "synapse.metric.nonfinite"]
    assert bodies == ["not finite: loss is nan, mae is nan"] * 2


def test_nothing_of_it_stops_the_training(ran):
    assert ran.told["without a job"] == 2
    assert ran.told["failing"] == 3
    [line] = [line for line in ran.errors.splitlines() if line.startswith("synapse-otel: a callback")]
    assert line == (
        "synapse-otel: a callback could not report, and the training continues: OSError: no space left; "
        "`synapse-otel doctor environment` tells more"
    )
