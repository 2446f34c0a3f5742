"""The callbacks of trainers that need PyTorch, which is too large to be installed here.

transformers' own `CallbackHandler`, state and control are the real ones, and are called in the order that the Trainer
calls them in. PyTorch Lightning is a stand-in, with the names that its documentation gives.
"""

from __future__ import annotations

import pytest

from tests.integrations.reported import reported

pytestmark = pytest.mark.once

TRANSFORMERS = """
from transformers.trainer_callback import CallbackHandler, TrainerControl, TrainerState
from synapse_otel.integrations.transformers import SynapseCallback

def train(context, *, begin=0, last=4, whole=4, first_process=True, error_at=None):
    state = TrainerState(max_steps=whole, global_step=begin, is_world_process_zero=first_process)
    handler = CallbackHandler([SynapseCallback(context)], None, None, None, None)
    control = handler.on_train_begin(None, state, TrainerControl())
    for step in range(begin + 1, last + 1):
        control = handler.on_step_begin(None, state, control)
        if step == error_at:
            raise RuntimeError("no more")
        state.global_step = step
        control = handler.on_step_end(None, state, control)
        logs = {"loss": 1 / step, "grad_norm": float("nan"), "learning_rate": 0.1, "epoch": step / 2}
        control = handler.on_log(None, state, control, logs)
    control = handler.on_log(None, state, control, {"eval_loss": 0.25, "eval_late_accuracy": 0.5, "epoch": 2.0})
    handler.on_evaluate(None, state, control, metrics={"eval_loss": 0.25})
    handler.on_log(None, state, control, {"train_runtime": 1.5, "train_loss": 0.5, "epoch": 2.0})
    return handler.on_train_end(None, state, control)
"""

LIGHTNING = """
from types import ModuleType, SimpleNamespace

class Callback:
    def on_train_epoch_end(self, trainer, pl_module): ...
    def on_train_end(self, trainer, pl_module): ...

for name in ("lightning", "lightning.pytorch", "lightning.pytorch.callbacks"):
    sys.modules[name] = ModuleType(name)
sys.modules["lightning.pytorch.callbacks"].Callback = Callback
from synapse_otel.integrations.lightning import SynapseCallback

class Tensor:
    def __init__(self, value): self.value = value
    def __float__(self): return self.value

def train(context, *, begin=0, last=4, whole=4, first_process=True, error_at=None):
    callback = SynapseCallback(context)
    trainer = SimpleNamespace(max_epochs=whole, current_epoch=begin, is_global_zero=first_process, callback_metrics={})
    for epoch in range(begin, last):
        if epoch + 1 == error_at:
            raise RuntimeError("no more")
        trainer.current_epoch = epoch
        trainer.callback_metrics |= {"train_loss": Tensor(1 / (epoch + 1)), "grad_norm": Tensor(float("nan"))}
        trainer.callback_metrics |= {"val_loss": Tensor(0.25), "val/late_accuracy": Tensor(0.5)}
        callback.on_train_epoch_end(trainer, None)
    callback.on_train_end(trainer, None)
"""

CASES = """
from synapse_otel.loggers import NoOpLogger
from synapse_otel.plugins.context import RuntimeContext

class Failing:
    def set_progress(self, *args): raise OSError("no space left")
    def set_metrics(self, *args): raise OSError("no space left")

cases = {
    "whole": {},
    "resumed": {"begin": 2},
    "early": {"last": 3, "whole": 50},
    "other process": {"first_process": False},
    "broken": {"error_at": 3},
    "endless": {"whole": -1},
}
found = {}
for name, options in cases.items():
    with recorded_job() as job:
        try:
            train(job.ctx, **options)
        except RuntimeError:
            assert name == "broken"
        found[name] = told(job)
train(Failing())
train(RuntimeContext(NoOpLogger()))
print(json.dumps(found))
"""


@pytest.fixture(scope="module", params=["transformers", "lightning"])
def ran(request, tmp_path_factory):
    script = TRANSFORMERS if request.param == "transformers" else LIGHTNING
    return request.param, reported(script + CASES, tmp_path_factory.mktemp(request.param))


def test_progress_and_logs(ran):
    name, found = ran
    whole = found.told["whole"]
    assert whole["progress"] == {"training": [4, 4]}
    assert whole["samples"]["training"]["loss"] == [1, 1 / 2, 1 / 3, 1 / 4]
    validation = whole["samples"]["validation"]
    assert {metric: values[-1] for metric, values in validation.items()} == {"loss": 0.25, "late_accuracy": 0.5}
    if name == "transformers":
        assert set(whole["samples"]["training"]) == {"loss", "learning_rate", "train_runtime", "train_loss"}
    bodies = {body for event, _severity, body in whole["events"] if event == "synapse.metric.nonfinite"}
    assert bodies == {"not finite: grad_norm is nan"}


def test_a_resumed_training_goes_on_where_it_was(ran):
    resumed = ran[1].told["resumed"]
    assert resumed["progress"] == {"training": [4, 4]}
    assert resumed["samples"]["training"]["loss"] == [1 / 3, 1 / 4]


def test_early_stopping_is_an_end(ran):
    assert ran[1].told["early"]["progress"] == {"training": [3, 3]}


def test_only_the_first_process_reports(ran):
    other = ran[1].told["other process"]
    assert (other["progress"], other["samples"]) == ({}, {})


def test_an_exception_leaves_the_progress_where_it_was(ran):
    assert ran[1].told["broken"]["progress"] == {"training": [2, 4]}


def test_an_end_that_is_not_known_is_no_progress(ran):
    endless = ran[1].told["endless"]
    assert endless["progress"] == {}
    assert len(endless["samples"]["training"]["loss"]) == 4


def test_nothing_of_it_stops_the_training(ran):
    assert ran[1].errors.count("synapse-otel: a callback could not report") == 1
