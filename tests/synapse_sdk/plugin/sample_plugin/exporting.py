"""An export: the work is done in a pool of threads, and told from there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pydantic import BaseModel
from synapse_sdk.plugins.action import BaseAction
from synapse_sdk.plugins.models.logger import LogLevel


class ExportParams(BaseModel):
    """What the export is told."""

    items: int = 8
    workers: int = 3


class ExportAction(BaseAction[ExportParams]):
    """Exports items in threads; each tells of its item, the main thread of the progress."""

    def execute(self) -> dict[str, Any]:
        items = self.params.items
        with ThreadPoolExecutor(self.params.workers) as pool:
            for done, _ in enumerate(pool.map(self._export, range(items)), start=1):
                self.set_progress(done, items, "export")
        self.set_metrics({"exported": items}, "export")
        return {"exported": items}

    def _export(self, item: int) -> None:
        self.ctx.log("exported", {"item": item})
        if item == 3:
            self.ctx.log_message(f"item {item} has no picture", LogLevel.WARNING)
