"""A training whose hyperparameters are searched for: by the SDK's own steps, on Ray Tune."""

from __future__ import annotations

from typing import Any

from synapse_sdk.plugins.actions.train import BaseTrainAction, BaseTrainParams


class SearchParams(BaseTrainParams):
    """Of one trial."""

    dataset: int | None = None  # type: ignore[assignment] # then the SDK exports none
    epochs: int = 2
    rate: float = 0.1


class SearchAction(BaseTrainAction[SearchParams]):
    """Its loss is best where the rate is lowest."""

    action_name = "search"

    def execute(self, data_path: Any, checkpoint: Any) -> dict[str, Any]:
        for epoch in range(1, self.params.epochs + 1):
            self.ctx.set_progress(epoch, self.params.epochs)
            self.ctx.log("epoch_done", {"epoch": epoch, "rate": self.params.rate})
            self.report_metrics({"loss": self.params.rate / epoch}, epoch=epoch, category="validation")
        return {"epochs": self.params.epochs}
