"""A plugin for synapse-sdk 2026.1.1b5, run by its local executor: the last release with categories and named levels."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from synapse_sdk.plugins.action import BaseAction
from synapse_sdk.plugins.executors.local import LocalExecutor


class Params(BaseModel):
    """What the action is told."""

    epochs: int = 2


class OldAction(BaseAction[Params]):
    """Tells by the calls of that time."""

    def execute(self) -> dict[str, Any]:
        for epoch in range(1, self.params.epochs + 1):
            self.set_progress(epoch, self.params.epochs, category="train")
            self.set_metrics({"loss": 1 / epoch}, category="train")
        self.log("epochs", {"done": self.params.epochs})
        self.ctx.log_message("done", "success")
        return {"epochs": self.params.epochs}


if __name__ == "__main__":
    print(LocalExecutor(job_id="old").execute(OldAction, {"epochs": 3}))
