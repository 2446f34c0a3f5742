"""A training: three steps of the SDK's orchestrator, and everything a step can tell."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from synapse_sdk.plugins.action import BaseAction
from synapse_sdk.plugins.actions.train import BaseTrainAction, BaseTrainParams
from synapse_sdk.plugins.actions.train.context import TrainContext
from synapse_sdk.plugins.actions.train.log_messages import TrainLogMessageCode
from synapse_sdk.plugins.models.logger import LogLevel
from synapse_sdk.plugins.steps import BaseStep, BaseStepContext, Orchestrator, StepRegistry, StepResult

from sample_plugin.pixel import picture


class NoSpaceLeftError(RuntimeError):
    """The plugin's own exception."""

    def __init__(self, message: str, needed: int) -> None:
        super().__init__(message, needed)
        self.needed = needed


class SampleStep(BaseStep[TrainContext]):
    """A step that can be told to fail or to be left out."""

    step_name = ""
    weight = 0

    @property
    def name(self) -> str:
        return self.step_name

    @property
    def progress_weight(self) -> float:
        return self.weight / 100

    @property
    def progress_proportion(self) -> int:
        return self.weight

    def can_skip(self, context: TrainContext) -> bool:
        return context.params.get("skip") == self.name

    def execute(self, context: TrainContext) -> StepResult:
        self.work(context)
        if context.params.get("raise_in") == self.name:
            try:
                (0).to_bytes(-1)
            except ValueError as error:
                raise NoSpaceLeftError(f"no space left in {self.name}", 7) from error
        if context.params.get("fail_in") == self.name:
            return StepResult(success=False, error=f"{self.name} found nothing", data={"found": 0})
        return StepResult(success=True, data={"step": self.name}, rollback_data={"made": self.name})

    def rollback(self, context: TrainContext, result: StepResult) -> None:
        context.log("rolled_back", {"step": self.name, "made": result.rollback_data.get("made")})
        if context.params.get("rollback_fails_in") == self.name:
            raise OSError(5, "the rollback of a step may fail, too")

    def work(self, context: TrainContext) -> None:
        raise NotImplementedError


class PrepareStep(SampleStep):
    step_name = "prepare"
    weight = 20

    def work(self, context: TrainContext) -> None:
        context.log_message("Preparing")
        context.set_progress(1, 2)
        context.log("dataset", {"images": 3, "classes": ["cat", "dog"], "of": context.params["dataset"]})
        context.runtime_ctx.log_dev_event("cache is cold", {"hits": 0})
        context.set_progress(2, 2)


class LearnStep(SampleStep):
    step_name = "learn"
    weight = 70

    def work(self, context: TrainContext) -> None:
        epochs = context.params["epochs"]
        ctx = context.runtime_ctx
        context.log_message(TrainLogMessageCode.TRAIN_STARTING, epochs=epochs)
        for epoch in range(1, epochs + 1):
            context.set_progress(epoch, epochs)
            context.set_metrics({"loss": 1 / epoch, "accuracy": 1 - 1 / (epoch + 1)})
            ctx.log_metric("train", "epoch", epoch, loss=1 / epoch)
        ctx.log_message({"en": "{count} epochs are done", "ko": "{count} 에포크 완료"}, LogLevel.SUCCESS, count=epochs)
        ctx.log_message({"en": "one word", "ko": "한 단어"}, language="ko")
        ctx.log_visualization("validation", "epoch_1", 0, picture("prediction.png"), label="cat")
        ctx.log_trials(trials={"trial_1": {"loss": 0.5}}, metrics=["loss"], best_trial="trial_1")


class SaveStep(SampleStep):
    step_name = "save"
    weight = 10

    def work(self, context: TrainContext) -> None:
        ctx = context.runtime_ctx
        context.log("checkpoint", {"epoch": context.params["epochs"]}, file=picture("curve.png"))
        ctx.log_message("Disk is nearly full", LogLevel.WARNING)
        ctx.set_metrics({"size_mb": 12.5}, "save")
        context.set_progress(1, 1)
        context.model = {"id": 42, "name": "sample"}


STEPS = (PrepareStep, LearnStep, SaveStep)


class TrainParams(BaseTrainParams):
    """What the training is told."""

    epochs: int = 3
    raise_in: str = ""
    fail_in: str = ""
    skip: str = ""
    rollback_fails_in: str = ""


class TrainAction(BaseTrainAction[TrainParams]):
    """A training by the SDK's own flow."""

    def setup_steps(self, registry: StepRegistry[TrainContext]) -> None:
        for step in STEPS:
            registry.register(step())

    def execute(self, data_path: Any = None, checkpoint: Any = None) -> dict[str, Any]:
        """Stand for one trial of a search."""
        for epoch in range(1, self.params.epochs + 1):
            self.report_metrics({"loss": 1 / epoch}, epoch=epoch)
            self.set_progress(epoch, self.params.epochs)
        self.log_message(f"trained on {data_path}")
        return {"weights_path": "weights.bin"}


class OwnLoopParams(BaseModel):
    """What the action with an orchestrator of its own is told."""

    dataset: int = 1
    epochs: int = 2
    raise_in: str = ""
    fail_in: str = ""
    skip: str = ""


class OwnLoopAction(BaseAction[OwnLoopParams]):
    """An action that drives an orchestrator of its own."""

    def execute(self) -> dict[str, Any]:
        registry: StepRegistry[BaseStepContext] = StepRegistry()
        for step in STEPS:
            registry.register(step())
        context = TrainContext(runtime_ctx=self.ctx, params=self.params.model_dump())
        result = Orchestrator(registry, context, progress_callback=self.set_progress).execute()
        self.ctx.end_log()
        return {**result, "skipped": [r.skipped for r in context.step_results], "errors": context.errors}
